#include "fleetward/registry/certificates.h"

#include "access.h"
#include "certificate_checks.h"
#include "certificate_facts.h"
#include "fleetward/crypto/certificate.h"

namespace fleetward::registry {
namespace {

std::string TimeKey(const Certificate& certificate) {
  return BigEndian64(static_cast<std::uint64_t>(ToMillis(certificate.created))) + certificate.id.value();
}

/// The certificate that a TimeKey names.
Result<std::optional<Certificate>> ByTimeKey(ConstReader reader, std::string_view key) {
  std::string_view id = key.substr(std::min<std::size_t>(8, key.size()));
  FW_ASSIGN(auto record, reader.Get(kCertificates, id));
  if (!record) return std::optional<Certificate>();
  FW_ASSIGN(Certificate found, DecodeCertificate(id, *record));
  return std::optional<Certificate>(std::move(found));
}

Error AlreadyRegistered(const model::Arns& arns, const std::string& id) {
  return Error(Code::kAlreadyExists, "The certificate is already provisioned or registered")
      .WithField("resourceId", id)
      .WithField("resourceArn", arns.Certificate(id));
}

Error CaNotActive(const std::string& id) {
  return Error(Code::kCertificateState, "The CA certificate that signed the certificate is not ACTIVE. Id: " + id);
}

CertificateStatus StatusOf(bool active) { return active ? CertificateStatus::kActive : CertificateStatus::kInactive; }

Status CheckRegistrationStatus(CertificateStatus status) {
  if (status == CertificateStatus::kActive || status == CertificateStatus::kInactive ||
      status == CertificateStatus::kRegisterInactive) {
    return {};
  }
  return Error(Code::kInvalidArgument, "A certificate can be registered as ACTIVE or INACTIVE only");
}

// The call's error list has no CertificateValidationException.
Error AsInvalid(const Error& error) { return Error(Code::kInvalidArgument, error.message()); }

}  // namespace

ReadyCertificate Certificates::Ready(const crypto::Certificate& x509, CertificateStatus status, CertificateMode mode,
                                     const std::string& ca_id) const {
  Timestamp now = context_.clock.Now();
  Certificate certificate;
  certificate.id = model::CertificateId(x509.id());
  certificate.status = status;
  certificate.mode = mode;
  certificate.ca_id = ca_id;
  certificate.der = x509.der();
  certificate.generation = Id128::Random();
  certificate.created = certificate.modified = now;
  certificate.not_before = x509.not_before();
  certificate.not_after = x509.not_after();
  certificate.serial = x509.SerialHex();
  certificate.policy_facts = policy::EncodeCertificateAttributes(CertificateFacts(x509));
  return {std::move(certificate), x509.Pem()};
}

Result<Certificate> Certificates::Store(std::string_view actor, const Certificate& certificate) {
  return Apply<Certificate>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<Certificate> {
    const std::string& id = certificate.id.value();
    const std::string& ca_id = certificate.ca_id;
    FW_ASSIGN(auto present, tx.Get(kCertificates, id));
    if (present) return AlreadyRegistered(context_.arns, id);
    if (!ca_id.empty()) {
      FW_ASSIGN(auto ca, FindCaCertificate(tx, ca_id));
      if (!ca || !ca->active) return CaNotActive(ca_id);
    }
    FW_TRY(tx.Put(kCertificates, id, Encode(certificate)));
    FW_TRY(tx.Put(kCertificateBodies, id, certificate.der));
    FW_TRY(tx.Put(kCertificatesByTime, TimeKey(certificate), ""));
    if (!ca_id.empty()) FW_TRY(tx.Put(kCertificatesByCa, OrderedKey({ca_id, TimeKey(certificate)}), ""));
    changes.Add(CertificateChanged{certificate.id, std::nullopt, certificate.status});
    return certificate;
  });
}

Result<IssuedCertificate> Certificates::CreateKeysAndCertificate(std::string_view actor, bool active) {
  FW_ASSIGN(crypto::PrivateKey key, keys_.TakeRsa2048());
  FW_ASSIGN(crypto::Certificate x509, ca_.IssueDevice(key, context_.clock.Now()));
  ReadyCertificate ready = Ready(x509, StatusOf(active), CertificateMode::kDefault);
  FW_ASSIGN(Certificate stored, Store(actor, ready.certificate));
  return IssuedCertificate{std::move(stored), std::move(ready.pem), key.PublicPem(), key.PrivatePem()};
}

Result<ReadyCertificate> Certificates::FromCsr(std::string_view csr_pem, bool active) const {
  auto request = crypto::CertificateRequest::FromPem(csr_pem);
  if (!request.ok()) return AsInvalid(request.error());
  FW_ASSIGN(crypto::Certificate x509, ca_.IssueDevice(*request, context_.clock.Now()));
  return Ready(x509, StatusOf(active), CertificateMode::kDefault);
}

Result<IssuedCertificate> Certificates::CreateFromCsr(std::string_view actor, std::string_view csr_pem, bool active) {
  FW_ASSIGN(ReadyCertificate ready, FromCsr(csr_pem, active));
  FW_ASSIGN(Certificate stored, Store(actor, ready.certificate));
  return IssuedCertificate{std::move(stored), std::move(ready.pem), {}, {}};
}

Result<ReadyCertificate> Certificates::WithoutCa(std::string_view pem, CertificateStatus status) const {
  FW_TRY(CheckRegistrationStatus(status));
  FW_ASSIGN(crypto::Certificate x509, crypto::Certificate::FromPem(pem));
  FW_TRY(CheckForeignCertificate(x509, context_.clock.Now(), "certificate"));
  return Ready(x509, status, CertificateMode::kSniOnly);
}

Result<Certificate> Certificates::RegisterWithoutCa(std::string_view actor, std::string_view pem,
                                                    CertificateStatus status) {
  FW_ASSIGN(ReadyCertificate ready, WithoutCa(pem, status));
  return Store(actor, ready.certificate);
}

Result<ReadyCertificate> Certificates::WithCa(std::string_view pem, const std::optional<std::string>& ca_pem,
                                              CertificateStatus status) const {
  FW_TRY(CheckRegistrationStatus(status));
  FW_ASSIGN(crypto::Certificate x509, crypto::Certificate::FromPem(pem));
  FW_TRY(CheckForeignCertificate(x509, context_.clock.Now(), "certificate"));
  std::string wanted;
  if (ca_pem) {
    FW_ASSIGN(crypto::Certificate ca, crypto::Certificate::FromPem(*ca_pem));
    wanted = ca.id();
  }
  FW_ASSIGN(auto signers, store::ReadFor<std::vector<CaCertificate>>(
                              context_.store, [&](ConstReader reader) { return SignersOf(reader, x509); }));
  if (ca_pem) std::erase_if(signers, [&](const CaCertificate& ca) { return ca.id != wanted; });
  if (signers.empty()) {
    return Error(Code::kCertificateInvalid, ca_pem ? "The certificate is not signed by the CA certificate that was "
                                                     "given, or that one is not registered"
                                                   : "The certificate is not signed by a registered CA certificate");
  }
  if (signers.size() > 1) {
    return Error(Code::kCertificateConflict, "Several registered CA certificates have this subject and key; "
                                             "caCertificatePem must say which one is meant");
  }
  const CaCertificate& ca = signers.front();
  if (!ca.active) return CaNotActive(ca.id);
  return Ready(x509, status, ca.mode, ca.id);
}

Result<Certificate> Certificates::RegisterWithCa(std::string_view actor, std::string_view pem,
                                                 const std::optional<std::string>& ca_pem, CertificateStatus status) {
  FW_ASSIGN(ReadyCertificate ready, WithCa(pem, ca_pem, status));
  return Store(actor, ready.certificate);
}

Result<std::optional<Certificate>> Certificates::RegisterJustInTime(std::string_view der) {
  FW_ASSIGN(crypto::Certificate x509, crypto::Certificate::FromDer(der));
  FW_TRY(CheckForeignCertificate(x509, context_.clock.Now(), "certificate"));
  std::optional<Certificate> known;
  std::vector<CaCertificate> signers;
  FW_TRY(context_.store.Read([&](ConstReader reader) -> Status {
    FW_ASSIGN(known, FindCertificate(reader, x509.id()));
    if (known) return {};
    FW_ASSIGN(signers, SignersOf(reader, x509));
    return {};
  }));
  if (known) return known;
  std::erase_if(signers, [](const CaCertificate& ca) { return !ca.active || !ca.auto_registration; });
  if (signers.empty()) return std::optional<Certificate>();
  const CaCertificate& ca = signers.front();
  ReadyCertificate ready = Ready(x509, CertificateStatus::kPendingActivation, ca.mode, ca.id);
  FW_ASSIGN(Certificate stored, Store("auto-registration", ready.certificate));
  context_.enforcement.Settle();
  return std::optional<Certificate>(std::move(stored));
}

Result<Certificate> Certificates::Describe(const model::CertificateId& id) const {
  return store::ReadFor<Certificate>(context_.store,
                                     [&](ConstReader reader) { return GetCertificate(reader, id.value()); });
}

Result<Page<Certificate>> Certificates::List(const PageRequest& page) const {
  return store::ReadFor<Page<Certificate>>(context_.store, [&](ConstReader reader) -> Result<Page<Certificate>> {
    return PageOf<Certificate>(reader, kCertificatesByTime, "", "", page,
                               [&](std::string_view key, std::string_view) { return ByTimeKey(reader, key); });
  });
}

Result<Page<Certificate>> Certificates::ListByCa(const std::string& ca_id, const PageRequest& page) const {
  std::string from = OrderedKey({ca_id});
  return store::ReadFor<Page<Certificate>>(context_.store, [&](ConstReader reader) -> Result<Page<Certificate>> {
    return PageOf<Certificate>(reader, kCertificatesByCa, from, PrefixEnd(from), page,
                               [&](std::string_view key, std::string_view) -> Result<std::optional<Certificate>> {
                                 auto parts = store::SplitOrderedKey(key);
                                 if (!parts || parts->size() != 2) return Error(Code::kCorrupt, "a stored link is damaged");
                                 return ByTimeKey(reader, parts->back());
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
    if (!certificate.ca_id.empty()) {
      FW_TRY(tx.Erase(kCertificatesByCa, OrderedKey({certificate.ca_id, TimeKey(certificate)})));
    }
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
