#include "fleetward/registry/import.h"

#include "fleetward/registry/registry.h"
#include "fleetward/store/nested_store.h"

namespace fleetward::registry {
namespace {

Result<std::string> ImportCertificate(Registry& registry, std::string_view actor, const ImportRow& row,
                                      ImportedRow& result) {
  if (!row.csr_pem.empty()) {
    bool active = row.certificate_status == CertificateStatus::kActive;
    FW_ASSIGN(IssuedCertificate issued, registry.certificates.CreateFromCsr(actor, row.csr_pem, active));
    result.certificate_pem = std::move(issued.pem);
    return issued.certificate.id.value();
  }
  auto stored = registry.certificates.RegisterWithCa(actor, row.certificate_pem, std::nullopt, row.certificate_status);
  if (!stored.ok() && stored.error().code() == Code::kCertificateInvalid) {
    stored = registry.certificates.RegisterWithoutCa(actor, row.certificate_pem, row.certificate_status);
  }
  if (stored.ok()) return stored->id.value();
  if (stored.error().code() != Code::kAlreadyExists) return std::move(stored).error();
  auto known = stored.error().fields().find("resourceId");
  if (known == stored.error().fields().end()) return std::move(stored).error();
  return known->second;
}

Status ImportOne(Registry& registry, std::string_view actor, const ImportRow& row, ImportedRow& result) {
  if (!row.certificate_pem.empty() && !row.csr_pem.empty()) {
    return Error(Code::kInvalidArgument, "a row has a certificate or a certificate signing request, not both");
  }
  model::ThingName name(row.thing_name);
  FW_TRY(registry.things.Create(actor, {name, row.type, row.billing_group, row.attributes}));
  if (!row.groups.empty()) FW_TRY(registry.thing_groups.UpdateForThing(actor, name, row.groups, {}));
  if (row.certificate_pem.empty() && row.csr_pem.empty()) {
    if (row.policies.empty()) return {};
    return Error(Code::kInvalidArgument, "policies are attached to certificates, and the row has none");
  }
  FW_ASSIGN(result.certificate_id, ImportCertificate(registry, actor, row, result));
  std::string arn = registry.arns().Certificate(result.certificate_id);
  FW_TRY(registry.things.AttachPrincipal(actor, name, arn));
  for (const std::string& policy : row.policies) {
    FW_TRY(registry.policies.Attach(actor, model::PolicyName(policy), arn));
  }
  return {};
}

}  // namespace

Result<std::vector<ImportedRow>> Importer::Import(std::string_view actor, const std::vector<ImportRow>& rows) {
  std::vector<ImportedRow> results(rows.size());
  NoEnforcement none;  // the brokers are waited for once, behind the whole transaction
  FW_TRY(context_.store.Write(actor, [&](store::Transaction& tx) -> Status {
    store::NestedStore nested(tx);
    Registry registry(Context{nested, context_.clock, context_.arns, context_.quotas, context_.changes, none}, ca_, keys_);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Status done = nested.Row([&] { return ImportOne(registry, actor, rows[i], results[i]); });
      if (done.ok()) continue;
      if (done.error().code() == Code::kUnavailable || done.error().code() == Code::kIo) return done;
      results[i] = {};
      results[i].error = done.error().message();
    }
    return {};
  }));
  context_.enforcement.Settle();
  return results;
}

}  // namespace fleetward::registry
