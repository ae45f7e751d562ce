#include "fleetward/registry/import.h"

#include "fleetward/registry/registry.h"
#include "fleetward/store/nested_store.h"

namespace fleetward::registry {
namespace {

// The certificate that a row brings or asks for; nothing when it has none.
Result<std::optional<ReadyCertificate>> CertificateFor(const Certificates& certificates, const ImportRow& row) {
  if (row.certificate_pem.empty() && row.csr_pem.empty()) {
    if (row.policies.empty()) return std::optional<ReadyCertificate>();
    return Error(Code::kInvalidArgument, "policies are attached to certificates, and the row has none");
  }
  if (!row.certificate_pem.empty() && !row.csr_pem.empty()) {
    return Error(Code::kInvalidArgument, "a row has a certificate or a certificate signing request, not both");
  }
  Result<ReadyCertificate> ready =
      row.csr_pem.empty() ? certificates.WithCa(row.certificate_pem, std::nullopt, row.certificate_status)
                          : certificates.FromCsr(row.csr_pem, row.certificate_status == CertificateStatus::kActive);
  if (!ready.ok() && row.csr_pem.empty() && ready.error().code() == Code::kCertificateInvalid) {
    ready = certificates.WithoutCa(row.certificate_pem, row.certificate_status);
  }
  if (!ready.ok()) return std::move(ready).error();
  return std::optional(std::move(*ready));
}

// A certificate that is registered already is fine.
Status StoreCertificate(Registry& registry, std::string_view actor, const Certificate& certificate) {
  auto stored = registry.certificates.Store(actor, certificate);
  if (stored.ok() || stored.error().code() == Code::kAlreadyExists) return {};
  return std::move(stored).error();
}

Status ImportOne(Registry& registry, std::string_view actor, const ImportRow& row, const Certificate* certificate) {
  model::ThingName name(row.thing_name);
  FW_TRY(registry.things.Create(actor, {name, row.type, row.billing_group, row.attributes}));
  if (!row.groups.empty()) FW_TRY(registry.thing_groups.UpdateForThing(actor, name, row.groups, {}));
  if (certificate == nullptr) return {};
  FW_TRY(StoreCertificate(registry, actor, *certificate));
  std::string arn = registry.arns().Certificate(certificate->id.value());
  FW_TRY(registry.things.AttachPrincipal(actor, name, arn));
  for (const std::string& policy : row.policies) {
    FW_TRY(registry.policies.Attach(actor, model::PolicyName(policy), arn));
  }
  return {};
}

ImportedRow ResultOf(const Status& done, const ImportRow& row, const std::optional<ReadyCertificate>& ready) {
  if (!done.ok()) return {.error = done.error().message()};
  if (!ready) return {};
  return {.certificate_id = ready->certificate.id.value(), .certificate_pem = row.csr_pem.empty() ? "" : ready->pem};
}

}  // namespace

Result<std::vector<ImportedRow>> Importer::Import(std::string_view actor, const std::vector<ImportRow>& rows) {
  // Whatever costs CPU comes before the transaction: it keeps the store's only writer.
  Certificates certificates(context_, ca_, keys_);
  std::vector<Result<std::optional<ReadyCertificate>>> ready;
  ready.reserve(rows.size());
  for (const ImportRow& row : rows) ready.push_back(CertificateFor(certificates, row));
  std::vector<ImportedRow> results(rows.size());
  NoEnforcement none;  // the brokers are waited for once, behind the whole transaction
  FW_TRY(context_.store.Write(actor, [&](store::Transaction& tx) -> Status {
    store::NestedStore nested(tx);
    Registry registry(Context{nested, context_.clock, context_.arns, context_.quotas, context_.changes, none}, ca_, keys_);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!ready[i].ok()) {
        results[i].error = ready[i].error().message();
        continue;
      }
      const std::optional<ReadyCertificate>& certificate = *ready[i];
      Status done = nested.Row(
          [&] { return ImportOne(registry, actor, rows[i], certificate ? &certificate->certificate : nullptr); });
      if (!done.ok() && (done.error().code() == Code::kUnavailable || done.error().code() == Code::kIo)) return done;
      results[i] = ResultOf(done, rows[i], certificate);
    }
    return {};
  }));
  context_.enforcement.Settle();
  return results;
}

}  // namespace fleetward::registry
