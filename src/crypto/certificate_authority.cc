#include "fleetward/crypto/certificate_authority.h"

#include <sys/stat.h>

#include "fleetward/base/file.h"
#include "fleetward/crypto/digest.h"
#include "openssl.h"

namespace fleetward::crypto {
namespace {

constexpr std::int64_t kEndOf2049 = 2524607999;  // 2049-12-31T23:59:59Z
// Clocks of devices and of this machine may step back by minutes, and a certificate made just before must stay good.
constexpr std::int64_t kClockSkewSeconds = 3600;

struct Extension {
  int nid;
  std::string value;
};

struct Plan {
  X509_NAME* subject = nullptr;
  EVP_PKEY* public_key = nullptr;
  std::int64_t not_before = 0, not_after = 0;  // epoch seconds
  std::vector<Extension> extensions;
};

std::int64_t Seconds(Timestamp time) { return ToMillis(time) / 1000; }

NameHandle CommonName(std::string_view text) {
  NameHandle name(X509_NAME_new());
  X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()), -1,
                             0);
  return name;
}

bool SetSerial(X509* x509) {
  std::string bytes = RandomBytes(20);
  bytes[0] = static_cast<char>((bytes[0] & 0x3f) | 0x40);  // positive, and of full length
  BIGNUM* number = BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), 20, nullptr);
  bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
  BN_free(number);
  return set;
}

bool AddExtension(X509* x509, X509* issuer, const Extension& extension) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, &context, extension.nid, extension.value.c_str());
  bool added = made && X509_add_ext(x509, made, -1) == 1;
  X509_EXTENSION_free(made);
  return added;
}

// `issuer` is null for a self-signed certificate.
Result<Certificate> Issue(const Plan& plan, X509* issuer, EVP_PKEY* signing_key) {
  X509Handle x509(X509_new());
  if (!x509) return OpensslError("issuing a certificate");
  X509* signer = issuer ? issuer : x509.get();
  bool made = X509_set_version(x509.get(), 2) == 1 && SetSerial(x509.get()) &&
              X509_set_subject_name(x509.get(), plan.subject) == 1 &&
              X509_set_issuer_name(x509.get(), issuer ? X509_get_subject_name(issuer) : plan.subject) == 1 &&
              ASN1_TIME_set(X509_getm_notBefore(x509.get()), plan.not_before) &&
              ASN1_TIME_set(X509_getm_notAfter(x509.get()), plan.not_after) &&
              X509_set_pubkey(x509.get(), plan.public_key) == 1;
  for (const Extension& extension : plan.extensions) {
    made = made && AddExtension(x509.get(), signer, extension);
  }
  if (!made || X509_sign(x509.get(), signing_key, EVP_sha256()) <= 0) {
    return OpensslError("issuing a certificate");
  }
  // The signed object keeps cached encodings: read the finished bytes back.
  unsigned char* bytes = nullptr;
  int size = i2d_X509(x509.get(), &bytes);
  if (size <= 0) return OpensslError("issuing a certificate");
  std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return Certificate::FromDer(der);
}

Plan DevicePlan(X509_NAME* subject, EVP_PKEY* key, Timestamp now) {
  return Plan{subject, key, Seconds(now) - kClockSkewSeconds, kEndOf2049,
              {{NID_basic_constraints, "critical,CA:FALSE"},
               {NID_key_usage, "critical,digitalSignature"},
               {NID_ext_key_usage, "clientAuth"},
               {NID_subject_key_identifier, "hash"},
               {NID_authority_key_identifier, "keyid"}}};
}

bool Exists(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0;
}

}  // namespace

Result<CertificateAuthority> CertificateAuthority::Create(Timestamp now) {
  FW_ASSIGN(PrivateKey key, PrivateKey::GenerateP256());
  // A name of its own, so that clients which trust two installations never mix up their CAs.
  NameHandle name = CommonName("Fleetward CA " + Sha256Hex(RandomBytes(16)).substr(0, 8));
  EVP_PKEY* pkey = key.impl().key.get();
  Plan plan{name.get(), pkey, Seconds(now) - kClockSkewSeconds, kEndOf2049,
            {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
             {NID_key_usage, "critical,keyCertSign,cRLSign"},
             {NID_subject_key_identifier, "hash"}}};
  FW_ASSIGN(Certificate certificate, Issue(plan, nullptr, pkey));
  return CertificateAuthority(std::move(certificate), std::move(key));
}

Result<CertificateAuthority> CertificateAuthority::OpenOrCreate(const std::string& dir, Timestamp now) {
  std::string certificate_path = dir + "/ca.pem", key_path = dir + "/ca.key";
  if (!Exists(certificate_path)) {
    // A key without its certificate is left over from a first start that was cut short: nothing was signed with it.
    FW_ASSIGN(CertificateAuthority made, Create(now));
    FW_TRY(WriteFileAtomic(key_path, made.key_.PrivatePem(), 0600));
    FW_TRY(WriteFileAtomic(certificate_path, made.certificate_.Pem(), 0644));
    return made;
  }
  FW_ASSIGN(std::string certificate_pem, ReadFile(certificate_path));
  auto key_pem = ReadFile(key_path);
  if (!key_pem.ok()) {
    return Error(Code::kCorrupt, certificate_path + " is there, but its key is not: " + key_pem.error().message());
  }
  FW_ASSIGN(Certificate certificate, Certificate::FromPem(certificate_pem));
  FW_ASSIGN(PrivateKey key, PrivateKey::FromPem(*key_pem));
  if (!certificate.Matches(key)) return Error(Code::kCorrupt, key_path + " is not the key of " + certificate_path);
  return CertificateAuthority(std::move(certificate), std::move(key));
}

Result<Certificate> CertificateAuthority::IssueDevice(const PrivateKey& key, Timestamp now) const {
  NameHandle name = CommonName("Fleetward IoT Certificate");
  return Issue(DevicePlan(name.get(), key.impl().key.get(), now), certificate_.impl().x509.get(),
               key_.impl().key.get());
}

Result<Certificate> CertificateAuthority::IssueSigner(const PrivateKey& key, std::string_view common_name,
                                                      Timestamp now) const {
  NameHandle name = CommonName(common_name);
  Plan plan{name.get(), key.impl().key.get(), Seconds(now) - kClockSkewSeconds, Seconds(now) + 396 * 86400,
            {{NID_basic_constraints, "critical,CA:FALSE"},
             {NID_key_usage, "critical,digitalSignature"},
             {NID_ext_key_usage, "codeSigning"},
             {NID_subject_key_identifier, "hash"},
             {NID_authority_key_identifier, "keyid"}}};
  return Issue(plan, certificate_.impl().x509.get(), key_.impl().key.get());
}

Result<Certificate> CertificateAuthority::IssueDevice(const CertificateRequest& request, Timestamp now) const {
  X509_REQ* raw = request.impl().request.get();
  return Issue(DevicePlan(X509_REQ_get_subject_name(raw), X509_REQ_get0_pubkey(raw), now),
               certificate_.impl().x509.get(), key_.impl().key.get());
}

Result<Certificate> CertificateAuthority::IssueServer(const PrivateKey& key, const std::vector<std::string>& names,
                                                      Timestamp now) const {
  constexpr std::int64_t kLifeSeconds = 825 * 86400;  // the longest that all common clients accept
  std::string alternatives;
  for (const std::string& name : names) {
    bool address = name.find(':') != std::string::npos || name.find_first_not_of("0123456789.") == std::string::npos;
    if (!alternatives.empty()) alternatives += ",";
    alternatives += (address ? "IP:" : "DNS:") + name;
  }
  NameHandle subject = CommonName("Fleetward server");
  Plan plan{subject.get(), key.impl().key.get(), Seconds(now) - kClockSkewSeconds,
            std::min(Seconds(now) + kLifeSeconds, kEndOf2049),
            {{NID_basic_constraints, "critical,CA:FALSE"},
             {NID_key_usage, "critical,digitalSignature"},
             {NID_ext_key_usage, "serverAuth"},
             {NID_subject_key_identifier, "hash"},
             {NID_authority_key_identifier, "keyid"},
             {NID_subject_alt_name, alternatives}}};
  return Issue(plan, certificate_.impl().x509.get(), key_.impl().key.get());
}

}  // namespace fleetward::crypto
