#include "settings.h"

#include <netdb.h>

namespace fleetward::app {
namespace {

bool IsWildcard(std::string_view host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

std::string Bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : '[' + host + ']';
}

}  // namespace

Result<config::ServerOptions> LoadOptions(const SettingSources& sources) {
  config::ServerOptions options;
  if (!sources.config_file.empty()) FW_TRY(config::ApplyFile(config::ServerTable(), sources.config_file, &options));
  for (const std::string& setting : sources.settings) {
    FW_TRY(config::ApplySetting(config::ServerTable(), setting, &options));
  }
  return options;
}

std::string ApiUrl(const config::ServerOptions& options) {
  auto listen = config::ParseHostPort(options.api_listen);
  std::string host = listen.ok() && !IsWildcard(listen->host) ? listen->host : "localhost";
  return "https://" + Bracketed(host) + ':' + std::to_string(listen.ok() ? listen->port : 8443);
}

std::string PublicUrl(const config::ServerOptions& options) {
  if (!options.api_public_url.empty()) {
    std::string url = options.api_public_url;
    while (!url.empty() && url.back() == '/') url.pop_back();
    return url;
  }
  auto listen = config::ParseHostPort(options.api_listen);
  if (options.tls_hostnames.empty() || !listen.ok()) return ApiUrl(options);
  return "https://" + Bracketed(options.tls_hostnames.front()) + ':' + std::to_string(listen->port);
}

std::string MqttHost(const config::ServerOptions& options) {
  if (!options.tls_hostnames.empty()) return options.tls_hostnames.front();
  // A minimal system may have no /etc/hosts; the certificate names the address as well.
  addrinfo* found = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &found) != 0) return "127.0.0.1";
  freeaddrinfo(found);
  return "localhost";
}

Result<int> MqttPort(const config::ServerOptions& options) {
  if (options.mqtt_listen.empty()) return Error(Code::kInvalidArgument, "mqtt.listen is empty");
  FW_ASSIGN(auto listen, config::ParseHostPort(options.mqtt_listen.front()));
  return static_cast<int>(listen.port);
}

registry::Quotas QuotasOf(const config::ServerOptions& options) {
  auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  registry::Quotas quotas;
  quotas.attributes_without_type = size(options.quota_attributes_without_type);
  quotas.attributes_with_type = size(options.quota_attributes_with_type);
  quotas.attribute_bytes = size(options.quota_attribute_bytes);
  quotas.group_attributes = size(options.quota_group_attributes);
  quotas.searchable_attributes = size(options.quota_searchable_attributes);
  quotas.groups_per_thing = size(options.quota_groups_per_thing);
  quotas.group_depth = size(options.quota_group_depth);
  quotas.children_per_group = size(options.quota_children_per_group);
  quotas.principals_per_thing = size(options.quota_principals_per_thing);
  quotas.dynamic_groups = size(options.quota_dynamic_groups);
  quotas.cas_per_subject = size(options.quota_cas_per_subject);
  quotas.policies_per_principal = size(options.quota_policies_per_principal);
  quotas.policies_per_group = size(options.quota_policies_per_group);
  quotas.policy_versions = size(options.quota_policy_versions);
  quotas.policy_characters = size(options.quota_policy_characters);
  quotas.behaviors_per_profile = size(options.quota_behaviors_per_profile);
  quotas.value_elements_per_profile = size(options.quota_values_per_profile);
  quotas.profiles_per_target = size(options.quota_profiles_per_target);
  quotas.custom_metrics = size(options.quota_custom_metrics);
  quotas.dimensions = size(options.quota_dimensions);
  quotas.role_aliases = size(options.quota_role_aliases);
  quotas.log_levels = size(options.quota_log_levels);
  quotas.tags_per_resource = size(options.quota_tags_per_resource);
  quotas.min_duration_seconds = static_cast<std::int32_t>(options.detect_min_duration_seconds);
  quotas.thing_type_delete_delay_seconds = options.registry_thing_type_delete_delay_seconds;
  return quotas;
}

}  // namespace fleetward::app
