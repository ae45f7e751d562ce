#include "fleetward/crypto/peer_verifier.h"

#include <openssl/ssl.h>
#include <sys/stat.h>

#include "openssl.h"

namespace fleetward::crypto {
namespace {

constexpr int kMaxChainDepth = 8;  // a client may send any number of certificates

using StoreHandle = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;
using StoreContextHandle = std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>>;

}  // namespace

struct PeerVerifier::Impl {
  std::string folder;
  Questions questions;
  int index = -1;
  // The store keeps what it has read, and never looks for a second CA of a name: a new one for a changed folder.
  StoreHandle store;
  timespec changed{};

  X509_STORE* Store();
  int VerifyChain(X509* leaf, X509_STORE_CTX* given);
  int Verify(X509_STORE_CTX* given);
};

namespace {

PeerVerifier::Impl* installed = nullptr;

int OnVerify(X509_STORE_CTX* context, void*) {
  return installed != nullptr ? installed->Verify(context) : X509_verify_cert(context);
}

// Runs while a TLS context is made: the one place where it can be reached, as the broker shows it to no plugin.
void OnNewContext(void* parent, void*, CRYPTO_EX_DATA*, int, long, void*) {
  if (parent != nullptr) SSL_CTX_set_cert_verify_callback(static_cast<SSL_CTX*>(parent), OnVerify, nullptr);
}

/// Fit for a client, and its time has come; its end is for the caller to judge, who knows whose it is.
int CheckLeaf(X509* leaf) {
  if (X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1) return X509_V_ERR_INVALID_PURPOSE;
  if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) return X509_V_ERR_CERT_NOT_YET_VALID;
  return X509_V_OK;
}

}  // namespace

X509_STORE* PeerVerifier::Impl::Store() {
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) return nullptr;
  bool same = store && info.st_mtim.tv_sec == changed.tv_sec && info.st_mtim.tv_nsec == changed.tv_nsec;
  if (same) return store.get();
  store.reset(X509_STORE_new());
  if (!store || X509_STORE_load_path(store.get(), folder.c_str()) != 1) store.reset();
  changed = info.st_mtim;
  return store.get();
}

int PeerVerifier::Impl::VerifyChain(X509* leaf, X509_STORE_CTX* given) {
  X509_STORE* trusted = Store();
  StoreContextHandle context(X509_STORE_CTX_new());
  if (trusted == nullptr || !context ||
      X509_STORE_CTX_init(context.get(), trusted, leaf, X509_STORE_CTX_get0_untrusted(given)) != 1 ||
      X509_STORE_CTX_set_default(context.get(), "ssl_client") != 1) {
    return X509_V_ERR_UNSPECIFIED;
  }
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_depth(rules, kMaxChainDepth);
  X509_VERIFY_PARAM_set_auth_level(rules, X509_VERIFY_PARAM_get_auth_level(X509_STORE_CTX_get0_param(given)));
  if (X509_verify_cert(context.get()) == 1) return X509_V_OK;
  int error = X509_STORE_CTX_get_error(context.get());
  return error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
}

int PeerVerifier::Impl::Verify(X509_STORE_CTX* given) {
  X509* leaf = X509_STORE_CTX_get0_cert(given);
  PeerFingerprint fingerprint{};
  unsigned size = 0;
  if (leaf == nullptr || X509_digest(leaf, EVP_sha256(), fingerprint.data(), &size) != 1) return 0;
  PeerStanding standing = questions.standing(fingerprint);
  int error = standing == PeerStanding::kVouched ? CheckLeaf(leaf) : VerifyChain(leaf, given);
  ERR_clear_error();
  X509_STORE_CTX_set_error(given, error);
  if (error == X509_V_OK) return 1;
  questions.refused(fingerprint, standing, X509_verify_cert_error_string(error));
  return 0;
}

Result<std::unique_ptr<PeerVerifier>> PeerVerifier::Install(std::string trust_folder, Questions questions) {
  if (installed != nullptr) return Error(Code::kInternal, "there is a verifier of clients' certificates already");
  auto impl = std::make_unique<Impl>();
  impl->folder = std::move(trust_folder);
  impl->questions = std::move(questions);
  impl->index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nullptr, OnNewContext, nullptr, nullptr);
  if (impl->index < 0) return OpensslError("hooking into TLS contexts");
  installed = impl.get();
  return std::unique_ptr<PeerVerifier>(new PeerVerifier(std::move(impl)));
}

PeerVerifier::PeerVerifier(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PeerVerifier::~PeerVerifier() {
  CRYPTO_free_ex_index(CRYPTO_EX_INDEX_SSL_CTX, impl_->index);
  installed = nullptr;
}

}  // namespace fleetward::crypto
