#include "fleetward/crypto/private_key.h"

#include "openssl.h"

namespace fleetward::crypto {
namespace {

constexpr std::size_t kMaxKeyPemBytes = 32768;
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;

Result<PrivateKey> Wrap(EVP_PKEY* key) {
  if (!key) return OpensslError("making a key");
  return PrivateKey(std::make_shared<const PrivateKey::Impl>(PrivateKey::Impl{PkeyHandle(key)}));
}

}  // namespace

bool IsAcceptableDeviceKey(const KeyStrength& strength, bool allow_p521) {
  switch (strength.kind) {
    case KeyKind::kRsa: return strength.bits >= kMinRsaBits && strength.bits <= kMaxRsaBits;
    case KeyKind::kEcP256:
    case KeyKind::kEcP384: return true;
    case KeyKind::kEcP521: return allow_p521;
    case KeyKind::kOther: return false;
  }
  return false;
}

Result<PrivateKey> PrivateKey::GenerateP256() { return Wrap(EVP_EC_gen("P-256")); }

Result<PrivateKey> PrivateKey::GenerateRsa2048() { return Wrap(EVP_RSA_gen(2048)); }

Result<PrivateKey> PrivateKey::FromPem(std::string_view pem) {
  if (pem.size() > kMaxKeyPemBytes) return Error(Code::kInvalidArgument, "the private key is too long");
  BioHandle bio = ReadBio(pem);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr);
  ERR_clear_error();
  if (!key) return Error(Code::kInvalidArgument, "not an unencrypted private key in PEM form");
  return Wrap(key);
}

std::string PrivateKey::PrivatePem() const {
  BioHandle bio(BIO_new(BIO_s_secmem()));
  EVP_PKEY* key = impl_->key.get();
  if (strength().kind == KeyKind::kRsa) {
    PEM_write_bio_PrivateKey_traditional(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  } else {
    PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  }
  return BioText(bio.get());
}

std::string PrivateKey::PublicPem() const {
  BioHandle bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(bio.get(), impl_->key.get());
  return BioText(bio.get());
}

Result<std::string> PrivateKey::Sign(SignatureDigest digest, std::string_view data) const {
  std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  const EVP_MD* algorithm = digest == SignatureDigest::kSha1 ? EVP_sha1() : EVP_sha256();
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  std::string signature(1024, '\0');
  std::size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, algorithm, nullptr, impl_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, data.size()) != 1) {
    return OpensslError("signing");
  }
  signature.resize(size);
  return signature;
}

KeyStrength PrivateKey::strength() const { return StrengthOf(impl_->key.get()); }

}  // namespace fleetward::crypto
