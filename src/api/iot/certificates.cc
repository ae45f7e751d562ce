#include "families.h"
#include "fleetward/api/iot/certificates.h"

namespace fleetward::api {
namespace {

using namespace iot;
using model::CertificateId;
using registry::Registry;

// Both enumerations spell the service's names.
CertificateStatus StatusOf(registry::CertificateStatus status) {
  return ParseCertificateStatus(registry::CertificateStatusName(status)).value_or(CertificateStatus::kInactive);
}

registry::CertificateStatus StatusOf(CertificateStatus status) {
  return registry::ParseCertificateStatus(ToString(status)).value_or(registry::CertificateStatus::kInactive);
}

CertificateMode ModeOf(registry::CertificateMode mode) {
  return mode == registry::CertificateMode::kSniOnly ? CertificateMode::kSniOnly : CertificateMode::kDefault;
}

Result<CreateKeysAndCertificateResponse> CreateKeys(Registry& registry, const CallContext& context,
                                                    const CreateKeysAndCertificateRequest& request) {
  FW_ASSIGN(auto issued, registry.certificates.CreateKeysAndCertificate(ActorOf(context),
                                                                        request.set_as_active.value_or(false)));
  const std::string& id = issued.certificate.id.value();
  return CreateKeysAndCertificateResponse{
      context.arns.Certificate(id), id, std::move(issued.pem),
      KeyPair{std::move(issued.public_key_pem), std::move(issued.private_key_pem)}};
}

Result<CreateCertificateFromCsrResponse> CreateFromCsr(Registry& registry, const CallContext& context,
                                                       const CreateCertificateFromCsrRequest& request) {
  FW_ASSIGN(auto issued, registry.certificates.CreateFromCsr(ActorOf(context), request.certificate_signing_request,
                                                             request.set_as_active.value_or(false)));
  const std::string& id = issued.certificate.id.value();
  return CreateCertificateFromCsrResponse{context.arns.Certificate(id), id, std::move(issued.pem)};
}

Result<RegisterCertificateWithoutCAResponse> RegisterWithoutCa(Registry& registry, const CallContext& context,
                                                               const RegisterCertificateWithoutCARequest& request) {
  FW_ASSIGN(auto registered,
            registry.certificates.RegisterWithoutCa(ActorOf(context), request.certificate_pem,
                                                    StatusOf(request.status.value_or(CertificateStatus::kInactive))));
  const std::string& id = registered.id.value();
  return RegisterCertificateWithoutCAResponse{context.arns.Certificate(id), id};
}

Result<RegisterCertificateResponse> RegisterWithCa(Registry& registry, const CallContext& context,
                                                   const RegisterCertificateRequest& request) {
  // `status` is the newer member; `setAsActive` counts without it.
  auto otherwise = request.set_as_active.value_or(false) ? CertificateStatus::kActive : CertificateStatus::kInactive;
  FW_ASSIGN(auto registered,
            registry.certificates.RegisterWithCa(ActorOf(context), request.certificate_pem, request.ca_certificate_pem,
                                                 StatusOf(request.status.value_or(otherwise))));
  const std::string& id = registered.id.value();
  return RegisterCertificateResponse{context.arns.Certificate(id), id};
}

Result<DescribeCertificateResponse> Describe(Registry& registry, const CallContext& context,
                                             const DescribeCertificateRequest& request) {
  FW_ASSIGN(auto certificate, registry.certificates.Describe(CertificateId(request.certificate_id)));
  CertificateDescription description;
  description.certificate_arn = context.arns.Certificate(certificate.id.value());
  description.certificate_id = certificate.id.value();
  description.ca_certificate_id = UnlessEmpty(certificate.ca_id);
  description.status = StatusOf(certificate.status);
  description.certificate_pem = registry::PemOf(certificate);
  description.owned_by = context.account();
  description.creation_date = certificate.created;
  description.last_modified_date = certificate.modified;
  description.customer_version = static_cast<std::int32_t>(certificate.customer_version);
  description.generation_id = certificate.generation.Uuid();
  description.validity = CertificateValidity{certificate.not_before, certificate.not_after};
  description.certificate_mode = ModeOf(certificate.mode);
  return DescribeCertificateResponse{std::move(description)};
}

std::vector<iot::Certificate> Listed(const CallContext& context, const std::vector<registry::Certificate>& items) {
  std::vector<iot::Certificate> listed;
  for (const registry::Certificate& certificate : items) {
    const std::string& id = certificate.id.value();
    listed.push_back({context.arns.Certificate(id), id, StatusOf(certificate.status), ModeOf(certificate.mode),
                      certificate.created});
  }
  return listed;
}

Result<ListCertificatesResponse> List(Registry& registry, const CallContext& context,
                                      const ListCertificatesRequest& request) {
  bool ascending = request.ascending_order.value_or(false);
  std::string binding = ascending ? "up" : "down";
  FW_ASSIGN(auto page, PageOf(context, request.marker, request.page_size, binding));
  page.descending = !ascending;
  FW_ASSIGN(auto certificates, registry.certificates.List(page));
  return ListCertificatesResponse{Listed(context, certificates.items), NextToken(context, certificates.next, binding)};
}

Result<ListCertificatesByCAResponse> ListByCa(Registry& registry, const CallContext& context,
                                              const ListCertificatesByCARequest& request) {
  bool ascending = request.ascending_order.value_or(false);
  std::string binding = (ascending ? "up " : "down ") + request.ca_certificate_id;
  FW_ASSIGN(auto page, PageOf(context, request.marker, request.page_size, binding));
  page.descending = !ascending;
  FW_ASSIGN(auto certificates, registry.certificates.ListByCa(request.ca_certificate_id, page));
  return ListCertificatesByCAResponse{Listed(context, certificates.items),
                                      NextToken(context, certificates.next, binding)};
}

Result<Empty> Update(Registry& registry, const CallContext& context, const UpdateCertificateRequest& request) {
  FW_TRY(registry.certificates.UpdateStatus(ActorOf(context), CertificateId(request.certificate_id),
                                            StatusOf(request.new_status)));
  return Empty{};
}

Result<Empty> Delete(Registry& registry, const CallContext& context, const DeleteCertificateRequest& request) {
  FW_TRY(registry.certificates.Delete(ActorOf(context), CertificateId(request.certificate_id),
                                      request.force_delete.value_or(false)));
  return Empty{};
}

}  // namespace

void RegisterCertificates(Router& router, Registry& registry) {
  router.Handle<CreateKeysAndCertificate>([&](auto& context, auto& request) {
    return CreateKeys(registry, context, request);
  });
  // The calls wait for one worker that makes keys: they must not take all handler threads (threats.md r).
  router.LimitConcurrency<CreateKeysAndCertificate>(1, 7);
  router.Handle<CreateCertificateFromCsr>([&](auto& context, auto& request) {
    return CreateFromCsr(registry, context, request);
  });
  router.Handle<RegisterCertificate>([&](auto& context, auto& request) {
    return RegisterWithCa(registry, context, request);
  });
  router.Handle<ListCertificatesByCA>([&](auto& context, auto& request) {
    return ListByCa(registry, context, request);
  });
  router.Handle<RegisterCertificateWithoutCA>([&](auto& context, auto& request) {
    return RegisterWithoutCa(registry, context, request);
  });
  router.Handle<DescribeCertificate>([&](auto& context, auto& request) {
    return Describe(registry, context, request);
  });
  router.Handle<ListCertificates>([&](auto& context, auto& request) { return List(registry, context, request); });
  router.Handle<UpdateCertificate>([&](auto& context, auto& request) { return Update(registry, context, request); });
  router.Handle<DeleteCertificate>([&](auto& context, auto& request) { return Delete(registry, context, request); });
}

}  // namespace fleetward::api
