#include "fleetward/notify/signer.h"

#include <dirent.h>

#include <memory>

#include "fleetward/base/encoding.h"
#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "fleetward/crypto/certificate_authority.h"

namespace fleetward::notify {
namespace {

constexpr std::string_view kPrefix = "SimpleNotificationService-";
constexpr auto kRenewBefore = std::chrono::days(30);

std::string FileNameOf(const crypto::Certificate& certificate) {
  return std::string(kPrefix) + certificate.id().substr(0, 32) + ".pem";
}

}  // namespace

struct MessageSigner::Current {
  crypto::PrivateKey key;
  crypto::Certificate certificate;
};

MessageSigner::MessageSigner(std::string folder, std::string base_url, const crypto::CertificateAuthority& ca,
                             const Clock& clock)
    : folder_(std::move(folder)), base_url_(std::move(base_url)), ca_(ca), clock_(clock) {}
MessageSigner::~MessageSigner() = default;

// Certificates that have ended are left out; the current key's is the one that fits it.
Status MessageSigner::Load() {
  auto key_pem = ReadFile(folder_ + "/current.key", 32768);
  if (!key_pem.ok() && key_pem.error().code() != Code::kNotFound) return std::move(key_pem).error();
  auto key = key_pem.ok() ? crypto::PrivateKey::FromPem(*key_pem)
                          : Result<crypto::PrivateKey>(Error(Code::kNotFound, "no key yet"));
  DIR* folder = opendir(folder_.c_str());
  if (folder != nullptr) {
    while (const dirent* entry = readdir(folder)) {
      std::string name = entry->d_name;
      if (!name.starts_with(kPrefix) || !name.ends_with(".pem")) continue;
      auto pem = ReadFile(folder_ + '/' + name, 65536);
      auto certificate = pem.ok() ? crypto::Certificate::FromPem(*pem) : Result<crypto::Certificate>(pem.error());
      if (!certificate.ok() || certificate->not_after() < clock_.Now() || FileNameOf(*certificate) != name) continue;
      if (key.ok() && certificate->Matches(*key)) current_.reset(new Current{*key, *certificate});
      certificates_.emplace(name, *pem);
    }
    closedir(folder);
  }
  loaded_ = true;
  return {};
}

Status MessageSigner::Renew() {
  FW_ASSIGN(auto key, crypto::PrivateKey::GenerateRsa2048());
  FW_ASSIGN(auto certificate, ca_.IssueSigner(key, "Fleetward message signing", clock_.Now()));
  FW_TRY(MakeDirs(folder_, 0700));
  std::string name = FileNameOf(certificate);
  // The certificate first: a key whose certificate cannot be served is of no use.
  FW_TRY(WriteFileAtomic(folder_ + '/' + name, certificate.Pem(), 0644));
  FW_TRY(WriteFileAtomic(folder_ + "/current.key", key.PrivatePem(), 0600));
  certificates_.emplace(name, certificate.Pem());
  current_.reset(new Current{std::move(key), std::move(certificate)});
  log::Info("message-signing-key-made", {{"certificate", name}});
  return {};
}

Status MessageSigner::EnsureCurrent() {
  if (!loaded_) FW_TRY(Load());
  if (current_ && clock_.Now() < current_->certificate.not_after() - kRenewBefore) return {};
  Status renewed = Renew();
  if (!renewed.ok() && current_) {
    log::Warning("message-signing-key-not-renewed", {{"error", renewed.error().ToString()}});
    return {};
  }
  return renewed;
}

Result<Signature> MessageSigner::Sign(std::string_view text, int version) {
  std::optional<crypto::PrivateKey> key;
  Signature signature;
  {
    std::lock_guard lock(mutex_);
    FW_TRY(EnsureCurrent());
    key = current_->key;
    signature.certificate_url = base_url_ + '/' + FileNameOf(current_->certificate);
  }
  auto digest = version == 2 ? crypto::SignatureDigest::kSha256 : crypto::SignatureDigest::kSha1;
  FW_ASSIGN(std::string bytes, key->Sign(digest, text));
  signature.base64 = Base64Encode(bytes);
  return signature;
}

std::optional<std::string> MessageSigner::CertificatePem(std::string_view file_name) {
  std::lock_guard lock(mutex_);
  if (!loaded_ && !Load().ok()) return std::nullopt;
  auto found = certificates_.find(file_name);
  if (found == certificates_.end()) return std::nullopt;
  return found->second;
}

}  // namespace fleetward::notify
