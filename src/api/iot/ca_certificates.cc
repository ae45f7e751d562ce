#include "families.h"
#include "fleetward/api/iot/certificates.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::Registry;

CACertificateStatus StatusOf(bool active) {
  return active ? CACertificateStatus::kActive : CACertificateStatus::kInactive;
}

std::optional<registry::RegistrationConfig> ConfigOf(const std::optional<RegistrationConfig>& config) {
  if (!config) return std::nullopt;
  return registry::RegistrationConfig{config->template_body, config->role_arn, config->template_name};
}

Result<GetRegistrationCodeResponse> GetCode(Registry& registry, const CallContext& context) {
  FW_ASSIGN(std::string code, registry.ca_certificates.RegistrationCode(ActorOf(context)));
  return GetRegistrationCodeResponse{std::move(code)};
}

Result<DeleteRegistrationCodeResponse> DeleteCode(Registry& registry, const CallContext& context) {
  FW_TRY(registry.ca_certificates.DeleteRegistrationCode(ActorOf(context)));
  return DeleteRegistrationCodeResponse{};
}

Result<RegisterCACertificateResponse> RegisterCa(Registry& registry, const CallContext& context,
                                                 const RegisterCACertificateRequest& request) {
  registry::NewCaCertificate wanted;
  wanted.pem = request.ca_certificate;
  wanted.verification_pem = request.verification_certificate;
  wanted.mode = request.certificate_mode == CertificateMode::kSniOnly ? registry::CertificateMode::kSniOnly
                                                                      : registry::CertificateMode::kDefault;
  wanted.active = request.set_as_active.value_or(false);
  wanted.auto_registration = request.allow_auto_registration.value_or(false);
  wanted.config = ConfigOf(request.registration_config);
  FW_ASSIGN(wanted.tags, TagsOf(request.tags));
  FW_ASSIGN(auto registered, registry.ca_certificates.Register(ActorOf(context), wanted));
  return RegisterCACertificateResponse{context.arns.CaCertificate(registered.id), registered.id};
}

Result<DescribeCACertificateResponse> Describe(Registry& registry, const CallContext& context,
                                               const DescribeCACertificateRequest& request) {
  FW_ASSIGN(auto certificate, registry.ca_certificates.Describe(request.certificate_id));
  CACertificateDescription description;
  description.certificate_arn = context.arns.CaCertificate(certificate.id);
  description.certificate_id = certificate.id;
  description.status = StatusOf(certificate.active);
  description.certificate_pem = registry::PemOf(certificate);
  description.owned_by = context.account();
  description.creation_date = certificate.created;
  description.auto_registration_status =
      certificate.auto_registration ? AutoRegistrationStatus::kEnable : AutoRegistrationStatus::kDisable;
  description.last_modified_date = certificate.modified;
  description.customer_version = static_cast<std::int32_t>(certificate.customer_version);
  description.generation_id = certificate.generation.Uuid();
  description.validity = CertificateValidity{certificate.not_before, certificate.not_after};
  description.certificate_mode = certificate.mode == registry::CertificateMode::kSniOnly ? CertificateMode::kSniOnly
                                                                                         : CertificateMode::kDefault;
  DescribeCACertificateResponse response{std::move(description), std::nullopt};
  if (certificate.config) {
    response.registration_config = RegistrationConfig{certificate.config->template_body, certificate.config->role_arn,
                                                      certificate.config->template_name};
  }
  return response;
}

Result<ListCACertificatesResponse> List(Registry& registry, const CallContext& context,
                                        const ListCACertificatesRequest& request) {
  bool ascending = request.ascending_order.value_or(false);
  std::string binding = (ascending ? "up " : "down ") + TextOf(request.template_name);
  FW_ASSIGN(auto page, PageOf(context, request.marker, request.page_size, binding));
  page.descending = !ascending;
  FW_ASSIGN(auto certificates, registry.ca_certificates.List(request.template_name, page));
  ListCACertificatesResponse response;
  response.certificates.emplace();
  for (const registry::CaCertificate& each : certificates.items) {
    response.certificates->push_back(
        {context.arns.CaCertificate(each.id), each.id, StatusOf(each.active), each.created});
  }
  response.next_marker = NextToken(context, certificates.next, binding);
  return response;
}

Result<Empty> Update(Registry& registry, const CallContext& context, const UpdateCACertificateRequest& request) {
  registry::CaCertificateUpdate update;
  if (request.new_status) update.active = request.new_status == CACertificateStatus::kActive;
  if (request.new_auto_registration_status) {
    update.auto_registration = request.new_auto_registration_status == AutoRegistrationStatus::kEnable;
  }
  update.config = ConfigOf(request.registration_config);
  update.remove_auto_registration = request.remove_auto_registration.value_or(false);
  FW_TRY(registry.ca_certificates.Update(ActorOf(context), request.certificate_id, update));
  return Empty{};
}

Result<DeleteCACertificateResponse> Delete(Registry& registry, const CallContext& context,
                                           const DeleteCACertificateRequest& request) {
  FW_TRY(registry.ca_certificates.Delete(ActorOf(context), request.certificate_id));
  return DeleteCACertificateResponse{};
}

}  // namespace

void RegisterCaCertificates(Router& router, Registry& registry) {
  router.Handle<GetRegistrationCode>([&](auto& context, auto&) { return GetCode(registry, context); });
  router.Handle<DeleteRegistrationCode>([&](auto& context, auto&) { return DeleteCode(registry, context); });
  router.Handle<RegisterCACertificate>([&](auto& context, auto& request) {
    return RegisterCa(registry, context, request);
  });
  router.Handle<DescribeCACertificate>([&](auto& context, auto& request) {
    return Describe(registry, context, request);
  });
  router.Handle<ListCACertificates>([&](auto& context, auto& request) { return List(registry, context, request); });
  router.Handle<UpdateCACertificate>([&](auto& context, auto& request) { return Update(registry, context, request); });
  router.Handle<DeleteCACertificate>([&](auto& context, auto& request) { return Delete(registry, context, request); });
}

}  // namespace fleetward::api
