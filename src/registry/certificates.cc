#include "fleetward/registry/certificates.h"

#include "access.h"
#include "certificate_facts.h"
#include "fleetward/crypto/certificate.h"

namespace fleetward::registry {
namespace {

std::string TimeKey(const Certificate& certificate) {
  return BigEndian64(static_cast<std::uint64_t>(ToMillis(certificate.created))) + certificate.id.value();
}

Error AlreadyRegistered(const model::Arns& arns, const std::string& id) {
  return Error(Code::kAlreadyExists, "The certificate is already provisioned or registered")
      .WithField("resourceId", id)
      .WithField("resourceArn", arns.Certificate(id));
}

CertificateStatus StatusOf(bool active) { return active ? CertificateStatus::kActive : CertificateStatus::kInactive; }

// The call's error list has no CertificateValidationException.
Error AsInvalid(const Error& error) { return Error(Code::kInvalidArgument, error.message()); }

}  // namespace

Result<Certificate> Certificates::Store(std::string_view actor, const crypto::Certificate& x509,
                                        CertificateStatus status, CertificateMode mode) {
  Timestamp now = context_.clock.Now();
  Certificate certificate;
  certificate.id = model::CertificateId(x509.id());
  certificate.status = status;
  certificate.mode = mode;
  certificate.der = x509.der();
  certificate.generation = Id128::Random();
  certificate.created = certificate.modified = now;
  certificate.not_before = x509.not_before();
  certificate.not_after = x509.not_after();
  certificate.serial = x509.SerialHex();
  certificate.policy_facts = policy::EncodeCertificateAttributes(CertificateFacts(x509));
  auto stored = Apply<Certificate>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<Certificate> {
    const std::string& id = certificate.id.value();
    FW_ASSIGN(auto present, tx.Get(kCertificates, id));
    if (present) return AlreadyRegistered(context_.arns, id);
    FW_TRY(tx.Put(kCertificates, id, Encode(certificate)));
    FW_TRY(tx.Put(kCertificateBodies, id, certificate.der));
    FW_TRY(tx.Put(kCertificatesByTime, TimeKey(certificate), ""));
    changes.Add(CertificateChanged{certificate.id, std::nullopt, status});
    return certificate;
  });
  return stored;
}

Result<IssuedCertificate> Certificates::CreateKeysAndCertificate(std::string_view actor, bool active) {
  FW_ASSIGN(crypto::PrivateKey key, keys_.TakeRsa2048());
  FW_ASSIGN(crypto::Certificate x509, ca_.IssueDevice(key, context_.clock.Now()));
  FW_ASSIGN(Certificate stored, Store(actor, x509, StatusOf(active), CertificateMode::kDefault));
  return IssuedCertificate{std::move(stored), x509.Pem(), key.PublicPem(), key.PrivatePem()};
}

Result<IssuedCertificate> Certificates::CreateFromCsr(std::string_view actor, std::string_view csr_pem, bool active) {
  auto request = crypto::CertificateRequest::FromPem(csr_pem);
  if (!request.ok()) return AsInvalid(request.error());
  FW_ASSIGN(crypto::Certificate x509, ca_.IssueDevice(*request, context_.clock.Now()));
  FW_ASSIGN(Certificate stored, Store(actor, x509, StatusOf(active), CertificateMode::kDefault));
  return IssuedCertificate{std::move(stored), x509.Pem(), {}, {}};
}

Result<Certificate> Certificates::RegisterWithoutCa(std::string_view actor, std::string_view pem,
                                                    CertificateStatus status) {
  if (status != CertificateStatus::kActive && status != CertificateStatus::kInactive &&
      status != CertificateStatus::kRegisterInactive) {
    return Error(Code::kInvalidArgument, "A certificate can be registered as ACTIVE or INACTIVE only");
  }
  FW_ASSIGN(crypto::Certificate x509, crypto::Certificate::FromPem(pem));
  if (!crypto::IsAcceptableDeviceKey(x509.strength(), true)) {
    return Error(Code::kCertificateInvalid, "The certificate's key must be RSA of 2048 to 8192 bits or EC on P-256, "
                                            "P-384 or P-521");
  }
  if (x509.HasWeakSignature()) {
    return Error(Code::kCertificateInvalid, "The certificate must be signed with SHA-256, SHA-384 or SHA-512");
  }
  if (x509.not_after() <= context_.clock.Now()) {
    return Error(Code::kCertificateInvalid, "The certificate has expired");
  }
  return Store(actor, x509, status, CertificateMode::kSniOnly);
}

Result<Certificate> Certificates::Describe(const model::CertificateId& id) const {
  return store::ReadFor<Certificate>(context_.store,
                                     [&](ConstReader reader) { return GetCertificate(reader, id.value()); });
}

Result<Page<Certificate>> Certificates::List(const PageRequest& page) const {
  return store::ReadFor<Page<Certificate>>(context_.store, [&](ConstReader reader) -> Result<Page<Certificate>> {
    return PageOf<Certificate>(reader, kCertificatesByTime, "", "", page,
                               [&](std::string_view key, std::string_view) -> Result<std::optional<Certificate>> {
                                 std::string_view id = key.substr(std::min<std::size_t>(8, key.size()));
                                 FW_ASSIGN(auto record, reader.Get(kCertificates, id));
                                 if (!record) return std::optional<Certificate>();
                                 FW_ASSIGN(Certificate found, DecodeCertificate(id, *record));
                                 return std::optional<Certificate>(std::move(found));
                               });
  });
}

Status Certificates::UpdateStatus(std::string_view actor, const model::CertificateId& id, CertificateStatus status) {
  if (status != CertificateStatus::kActive && status != CertificateStatus::kInactive &&
      status != CertificateStatus::kRevoked) {
    return Error(Code::kInvalidArgument,
                 "The status " + std::string(CertificateStatusName(status)) + " cannot be set by a user");
  }
  Status updated = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(Certificate certificate, GetCertificate(tx, id.value()));
    CertificateStatus before = certificate.status;
    if (before == status) return {};
    if (before == CertificateStatus::kRevoked) {
      return Error(Code::kCertificateState, "Certificate is REVOKED, which is final. Id: " + id.value());
    }
    certificate.status = status;
    certificate.modified = context_.clock.Now();
    ++certificate.customer_version;
    FW_TRY(tx.Put(kCertificates, id.value(), Encode(certificate)));
    changes.Add(CertificateChanged{id, before, status});
    return {};
  });
  if (updated.ok()) context_.enforcement.Settle();
  return updated;
}

Status Certificates::Delete(std::string_view actor, const model::CertificateId& id, bool force) {
  Status deleted = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(Certificate certificate, GetCertificate(tx, id.value()));
    std::string arn = context_.arns.Certificate(id.value());
    if (certificate.status == CertificateStatus::kActive) {
      return Error(Code::kCertificateState,
                   "Certificate must be deactivated (not ACTIVE) before deletion. Id: " + id.value());
    }
    FW_ASSIGN(bool things, AnyUnder(tx, kPrincipalThings, id.value()));
    if (things) return Error(Code::kDeleteConflict, "Things must be detached before deletion (arn: " + arn + ")");
    FW_ASSIGN(bool policies, AnyUnder(tx, kTargetPolicies, CertificateTarget(id.value())));
    if (policies && !force) {
      return Error(Code::kDeleteConflict, "Certificate policies must be detached before deletion (arn: " + arn + ")");
    }
    FW_TRY(DetachAllPolicies(tx, changes, CertificateTarget(id.value())));
    FW_TRY(tx.Erase(kCertificates, id.value()));
    FW_TRY(tx.Erase(kCertificateBodies, id.value()));
    FW_TRY(tx.Erase(kCertificatesByTime, TimeKey(certificate)));
    changes.Add(CertificateChanged{id, certificate.status, std::nullopt});
    return {};
  });
  if (deleted.ok()) context_.enforcement.Settle();
  return deleted;
}

std::string PemOf(const Certificate& certificate) {
  auto x509 = crypto::Certificate::FromDer(certificate.der);
  return x509.ok() ? x509->Pem() : std::string();
}

}  // namespace fleetward::registry
