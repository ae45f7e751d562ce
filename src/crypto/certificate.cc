#include "fleetward/crypto/certificate.h"

#include <arpa/inet.h>

#include "fleetward/base/encoding.h"
#include "fleetward/crypto/digest.h"
#include "openssl.h"

namespace fleetward::crypto {
namespace {

constexpr std::size_t kMaxChain = 10;
constexpr std::size_t kMaxNames = 64;
constexpr std::size_t kMaxSubjectText = 1024;

Error Unreadable(std::string_view what) {
  ERR_clear_error();
  return Error(Code::kCertificateInvalid, std::string(what));
}

std::string Utf8Of(const ASN1_STRING* text) {
  unsigned char* bytes = nullptr;
  int size = ASN1_STRING_to_UTF8(&bytes, text);
  if (size < 0) {
    ERR_clear_error();
    return {};
  }
  std::string value(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return value;
}

std::vector<NameAttribute> AttributesOf(const X509_NAME* name) {
  std::vector<NameAttribute> attributes;
  int count = std::min<int>(X509_NAME_entry_count(name), kMaxNames);
  for (int i = 0; i < count; ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    if (nid == NID_undef) continue;
    attributes.push_back({OBJ_nid2sn(nid), Utf8Of(X509_NAME_ENTRY_get_data(entry))});
  }
  return attributes;
}

std::string TextOf(const X509_NAME* name) {
  BioHandle bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  std::string text = BioText(bio.get());
  if (text.size() > kMaxSubjectText) text.resize(kMaxSubjectText);
  return text;
}

std::string IpText(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = "";
  int size = ASN1_STRING_length(address);
  if (size != 4 && size != 16) return {};
  inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
  return text;
}

void AddAlternative(const GENERAL_NAME* name, std::vector<AlternativeName>& names) {
  switch (name->type) {
    case GEN_EMAIL: names.push_back({AlternativeKind::kRfc822Name, Utf8Of(name->d.rfc822Name)}); break;
    case GEN_DNS: names.push_back({AlternativeKind::kDnsName, Utf8Of(name->d.dNSName)}); break;
    case GEN_URI: names.push_back({AlternativeKind::kUri, Utf8Of(name->d.uniformResourceIdentifier)}); break;
    case GEN_DIRNAME: names.push_back({AlternativeKind::kDirectoryName, TextOf(name->d.directoryName)}); break;
    case GEN_IPADD: names.push_back({AlternativeKind::kIpAddress, IpText(name->d.iPAddress)}); break;
    default: break;
  }
}

std::vector<AlternativeName> AlternativesOf(const X509* x509, int extension) {
  std::vector<AlternativeName> names;
  auto* found = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, extension, nullptr, nullptr));
  ERR_clear_error();
  if (!found) return names;
  int count = std::min<int>(sk_GENERAL_NAME_num(found), kMaxNames);
  for (int i = 0; i < count; ++i) AddAlternative(sk_GENERAL_NAME_value(found, i), names);
  GENERAL_NAMES_free(found);
  return names;
}

Timestamp TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Timestamp{};
  return FromMillis(std::int64_t{timegm(&parts)} * 1000);
}

std::string NameDer(const X509_NAME* name) {
  unsigned char* bytes = nullptr;
  int size = i2d_X509_NAME(name, &bytes);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

Result<Certificate> Wrap(X509Handle x509) {
  unsigned char* bytes = nullptr;
  int size = i2d_X509(x509.get(), &bytes);
  if (size <= 0) return Unreadable("The certificate cannot be read.");
  Certificate::Impl impl;
  impl.der.assign(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  impl.id = Sha256Hex(impl.der);
  if (TimeOf(X509_get0_notAfter(x509.get())) == Timestamp{}) {
    return Unreadable("The certificate's validity cannot be read.");
  }
  // Caches the extensions now, so that later reads from several threads change nothing.
  X509_check_purpose(x509.get(), -1, 0);
  ERR_clear_error();
  impl.x509 = std::move(x509);
  return Certificate(std::make_shared<const Certificate::Impl>(std::move(impl)));
}

}  // namespace

Result<std::vector<Certificate>> Certificate::ChainFromPem(std::string_view pem) {
  if (pem.size() > kMaxPemBytes) return Unreadable("The certificate is longer than 65536 bytes.");
  BioHandle bio = ReadBio(pem);
  std::vector<Certificate> chain;
  while (chain.size() < kMaxChain) {
    X509Handle x509(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
    if (!x509) break;
    FW_ASSIGN(Certificate certificate, Wrap(std::move(x509)));
    chain.push_back(std::move(certificate));
  }
  ERR_clear_error();
  if (chain.empty()) return Unreadable("The certificate is not a valid X.509 certificate in PEM form.");
  return chain;
}

Result<Certificate> Certificate::FromPem(std::string_view pem) {
  FW_ASSIGN(auto chain, ChainFromPem(pem));
  return std::move(chain.front());
}

Result<Certificate> Certificate::FromDer(std::string_view der) {
  if (der.size() > kMaxPemBytes) return Unreadable("The certificate is longer than 65536 bytes.");
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = bytes;
  X509Handle x509(d2i_X509(nullptr, &end, static_cast<long>(der.size())));
  if (!x509 || end != bytes + der.size()) return Unreadable("The certificate is not valid DER.");
  return Wrap(std::move(x509));
}

const std::string& Certificate::der() const { return impl_->der; }
const std::string& Certificate::id() const { return impl_->id; }

std::string Certificate::Pem() const {
  BioHandle bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), impl_->x509.get());
  return BioText(bio.get());
}

Timestamp Certificate::not_before() const { return TimeOf(X509_get0_notBefore(impl_->x509.get())); }
Timestamp Certificate::not_after() const { return TimeOf(X509_get0_notAfter(impl_->x509.get())); }

std::string Certificate::SerialHex() const {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(impl_->x509.get());
  std::string hex = HexEncode(std::string_view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
                                               static_cast<std::size_t>(ASN1_STRING_length(serial))));
  std::size_t first = hex.find_first_not_of('0');
  return first == std::string::npos ? "0" : hex.substr(first);
}

std::vector<NameAttribute> Certificate::Subject() const {
  return AttributesOf(X509_get_subject_name(impl_->x509.get()));
}
std::vector<NameAttribute> Certificate::Issuer() const {
  return AttributesOf(X509_get_issuer_name(impl_->x509.get()));
}
std::string Certificate::SubjectText() const { return TextOf(X509_get_subject_name(impl_->x509.get())); }
std::vector<AlternativeName> Certificate::SubjectAlternativeNames() const {
  return AlternativesOf(impl_->x509.get(), NID_subject_alt_name);
}
std::vector<AlternativeName> Certificate::IssuerAlternativeNames() const {
  return AlternativesOf(impl_->x509.get(), NID_issuer_alt_name);
}
KeyStrength Certificate::strength() const { return StrengthOf(X509_get0_pubkey(impl_->x509.get())); }
std::string Certificate::SubjectDer() const { return NameDer(X509_get_subject_name(impl_->x509.get())); }
std::string Certificate::IssuerDer() const { return NameDer(X509_get_issuer_name(impl_->x509.get())); }
bool Certificate::IsCa() const { return X509_check_ca(impl_->x509.get()) == 1; }

bool Certificate::IsSignedBy(const Certificate& signer) const {
  EVP_PKEY* key = X509_get0_pubkey(signer.impl_->x509.get());
  if (!key || IssuerDer() != signer.SubjectDer()) return false;
  bool verified = X509_verify(impl_->x509.get(), key) == 1;
  ERR_clear_error();
  return verified;
}

bool Certificate::Matches(const PrivateKey& key) const {
  bool same = X509_check_private_key(impl_->x509.get(), key.impl().key.get()) == 1;
  ERR_clear_error();
  return same;
}

bool Certificate::HasWeakSignature() const {
  int digest = NID_undef;
  if (X509_get_signature_info(impl_->x509.get(), &digest, nullptr, nullptr, nullptr) != 1) {
    ERR_clear_error();
    return true;
  }
  return digest != NID_sha256 && digest != NID_sha384 && digest != NID_sha512;
}

Result<CertificateRequest> CertificateRequest::FromPem(std::string_view pem) {
  if (pem.size() > kMaxPemBytes) return Unreadable("The certificate signing request is too long.");
  BioHandle bio = ReadBio(pem);
  RequestHandle request(PEM_read_bio_X509_REQ(bio.get(), nullptr, NoPassword, nullptr));
  if (!request) return Unreadable("The certificate signing request is not valid PEM.");
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  // Before the signature: verifying with a giant key would cost the caller's choice of CPU.
  if (!key || !IsAcceptableDeviceKey(StrengthOf(key))) {
    return Unreadable("The key of the certificate signing request must be RSA of 2048 to 8192 bits, "
                      "or EC on P-256 or P-384.");
  }
  if (X509_REQ_verify(request.get(), key) != 1) {
    return Unreadable("The signature of the certificate signing request is invalid.");
  }
  ERR_clear_error();
  return CertificateRequest(std::make_shared<const Impl>(Impl{std::move(request)}));
}

Result<std::string> CertificateRequest::MakePem(const PrivateKey& key, std::string_view common_name) {
  RequestHandle request(X509_REQ_new());
  NameHandle name(X509_NAME_new());
  bool made = request && name &&
              X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8,
                                         reinterpret_cast<const unsigned char*>(common_name.data()),
                                         static_cast<int>(common_name.size()), -1, 0) == 1 &&
              X509_REQ_set_version(request.get(), 0) == 1 &&
              X509_REQ_set_subject_name(request.get(), name.get()) == 1 &&
              X509_REQ_set_pubkey(request.get(), key.impl().key.get()) == 1 &&
              X509_REQ_sign(request.get(), key.impl().key.get(), EVP_sha256()) > 0;
  if (!made) return OpensslError("making a certificate signing request");
  BioHandle bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), request.get());
  return BioText(bio.get());
}

std::vector<NameAttribute> CertificateRequest::Subject() const {
  return AttributesOf(X509_REQ_get_subject_name(impl_->request.get()));
}
KeyStrength CertificateRequest::strength() const { return StrengthOf(X509_REQ_get0_pubkey(impl_->request.get())); }

}  // namespace fleetward::crypto
