#include "fleetward/registry/ca_certificates.h"

#include "access.h"
#include "certificate_checks.h"
#include "fleetward/base/encoding.h"
#include "fleetward/crypto/certificate.h"
#include "fleetward/crypto/digest.h"

namespace fleetward::registry {
namespace {

constexpr std::string_view kCodeKey = "code";
constexpr std::size_t kCodeBytes = 32;

std::string TimeKey(const CaCertificate& certificate) {
  return BigEndian64(static_cast<std::uint64_t>(ToMillis(certificate.created))) + certificate.id;
}

std::string TagResource(const std::string& id) { return "cacert/" + id; }

Result<CaCertificate> Get(ConstReader reader, const std::string& id) {
  FW_ASSIGN(auto found, FindCaCertificate(reader, id));
  if (!found) return NotFound("CA certificate", id);
  return std::move(*found);
}

/// The code as it is stored; empty when there is none.
Result<std::string> StoredCode(ConstReader reader) {
  FW_ASSIGN(auto code, reader.Get(kRegistrationCode, kCodeKey));
  return code.value_or("");
}

CaCertificate MakeRecord(const crypto::Certificate& x509, const NewCaCertificate& request, Timestamp now) {
  CaCertificate certificate;
  certificate.id = x509.id();
  certificate.active = request.active;
  certificate.auto_registration = request.auto_registration;
  certificate.mode = request.mode;
  certificate.der = x509.der();
  certificate.generation = Id128::Random();
  certificate.created = certificate.modified = now;
  certificate.not_before = x509.not_before();
  certificate.not_after = x509.not_after();
  certificate.config = request.config;
  return certificate;
}

}  // namespace

Result<std::string> CaCertificates::RegistrationCode(std::string_view actor) {
  FW_ASSIGN(std::string present, store::ReadFor<std::string>(context_.store, StoredCode));
  if (!present.empty()) return present;
  return Apply<std::string>(context_, actor, [&](Transaction& tx, ChangeSet&) -> Result<std::string> {
    FW_ASSIGN(std::string code, StoredCode(tx));
    if (!code.empty()) return code;
    code = HexEncode(crypto::RandomBytes(kCodeBytes));
    FW_TRY(tx.Put(kRegistrationCode, kCodeKey, code));
    return code;
  });
}

Status CaCertificates::DeleteRegistrationCode(std::string_view actor) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet&) -> Status {
    FW_ASSIGN(std::string code, StoredCode(tx));
    if (code.empty()) return Error(Code::kNotFound, "The account has no registration code");
    return tx.Erase(kRegistrationCode, kCodeKey);
  });
}

Result<CaCertificate> CaCertificates::Register(std::string_view actor, const NewCaCertificate& request) {
  bool proven = request.mode == CertificateMode::kDefault;
  if (proven && !request.verification_pem) {
    return Error(Code::kInvalidArgument, "verificationCertificate is required unless certificateMode is SNI_ONLY");
  }
  if (!proven && request.verification_pem) {
    return Error(Code::kInvalidArgument, "verificationCertificate must be empty when certificateMode is SNI_ONLY");
  }
  FW_ASSIGN(crypto::Certificate x509, crypto::Certificate::FromPem(request.pem));
  Timestamp now = context_.clock.Now();
  FW_TRY(CheckCaCertificate(x509, now));
  if (proven) {
    FW_ASSIGN(std::string code, store::ReadFor<std::string>(context_.store, StoredCode));
    FW_TRY(CheckVerification(*request.verification_pem, x509, code, now));
  }
  CaCertificate certificate = MakeRecord(x509, request, now);
  return Apply<CaCertificate>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<CaCertificate> {
    const std::string& id = certificate.id;
    FW_ASSIGN(auto present, tx.Get(kCaCertificates, id));
    if (present) {
      return Error(Code::kAlreadyExists, "The CA certificate is already registered")
          .WithField("resourceId", id)
          .WithField("resourceArn", context_.arns.CaCertificate(id));
    }
    FW_ASSIGN(auto namesakes, PartsUnder(tx, kCaCertificatesBySubject, crypto::Sha256Hex(x509.SubjectDer())));
    if (namesakes.size() >= context_.quotas.cas_per_subject) {
      return Error(Code::kLimitExceeded, "There are already " + std::to_string(context_.quotas.cas_per_subject) +
                                             " CA certificates with this subject");
    }
    FW_TRY(tx.Put(kCaCertificates, id, Encode(certificate)));
    FW_TRY(tx.Put(kCaCertificateBodies, id, certificate.der));
    FW_TRY(tx.Put(kCaCertificatesByTime, TimeKey(certificate), ""));
    FW_TRY(tx.Put(kCaCertificatesBySubject, SubjectKey(x509.SubjectDer(), id), ""));
    FW_TRY(PutTags(tx, TagResource(id), request.tags, context_.quotas));
    changes.Add(CaCertificateChanged{id, std::nullopt, certificate});
    return certificate;
  });
}

Result<CaCertificate> CaCertificates::Describe(const std::string& id) const {
  return store::ReadFor<CaCertificate>(context_.store, [&](ConstReader reader) { return Get(reader, id); });
}

Result<Page<CaCertificate>> CaCertificates::List(const std::optional<std::string>& template_name,
                                                 const PageRequest& page) const {
  return store::ReadFor<Page<CaCertificate>>(context_.store, [&](ConstReader reader) -> Result<Page<CaCertificate>> {
    return PageOf<CaCertificate>(
        reader, kCaCertificatesByTime, "", "", page,
        [&](std::string_view key, std::string_view) -> Result<std::optional<CaCertificate>> {
          std::string_view id = key.substr(std::min<std::size_t>(8, key.size()));
          FW_ASSIGN(auto record, reader.Get(kCaCertificates, id));
          if (!record) return std::optional<CaCertificate>();
          FW_ASSIGN(CaCertificate found, DecodeCaCertificate(id, *record));
          bool named = !template_name || (found.config && found.config->template_name == template_name);
          return named ? std::optional<CaCertificate>(std::move(found)) : std::nullopt;
        });
  });
}

Status CaCertificates::Update(std::string_view actor, const std::string& id, const CaCertificateUpdate& update) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(CaCertificate certificate, Get(tx, id));
    CaCertificate before = certificate;
    if (update.active) certificate.active = *update.active;
    if (update.auto_registration) certificate.auto_registration = *update.auto_registration;
    if (update.config) certificate.config = update.config;
    if (update.remove_auto_registration) {
      certificate.auto_registration = false;
      certificate.config.reset();
    }
    if (certificate.active == before.active && certificate.auto_registration == before.auto_registration &&
        certificate.config == before.config) {
      return {};
    }
    certificate.modified = context_.clock.Now();
    ++certificate.customer_version;
    FW_TRY(tx.Put(kCaCertificates, id, Encode(certificate)));
    changes.Add(CaCertificateChanged{id, std::move(before), std::move(certificate)});
    return {};
  });
}

Status CaCertificates::Delete(std::string_view actor, const std::string& id) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(CaCertificate certificate, Get(tx, id));
    if (certificate.active) {
      return Error(Code::kCertificateState,
                   "CA certificate must be deactivated (not ACTIVE) before deletion. Id: " + id);
    }
    FW_ASSIGN(auto x509, crypto::Certificate::FromDer(certificate.der));
    FW_TRY(tx.Erase(kCaCertificates, id));
    FW_TRY(tx.Erase(kCaCertificateBodies, id));
    FW_TRY(tx.Erase(kCaCertificatesByTime, TimeKey(certificate)));
    FW_TRY(tx.Erase(kCaCertificatesBySubject, SubjectKey(x509.SubjectDer(), id)));
    FW_TRY(EraseTags(tx, TagResource(id)));
    changes.Add(CaCertificateChanged{id, std::move(certificate), std::nullopt});
    return {};
  });
}

std::string PemOf(const CaCertificate& certificate) {
  auto x509 = crypto::Certificate::FromDer(certificate.der);
  return x509.ok() ? x509->Pem() : std::string();
}

}  // namespace fleetward::registry
