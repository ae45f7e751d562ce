#include "fleetward/config/server_options.h"

#include <charconv>

namespace fleetward::config {
namespace {

Status CheckListen(const ValueRef& value) {
  if (auto* text = std::get_if<std::string*>(&value)) FW_TRY(ParseHostPort(**text));
  if (auto* list = std::get_if<std::vector<std::string>*>(&value)) {
    if ((*list)->empty()) return Error(Code::kInvalidArgument, "needs at least one host:port");
    for (const std::string& text : **list) FW_TRY(ParseHostPort(text));
  }
  return {};
}

Status CheckListenOrEmpty(const ValueRef& value) {
  return std::get<std::string*>(value)->empty() ? Status() : CheckListen(value);
}

Status CheckAccount(const ValueRef& value) {
  const std::string& text = *std::get<std::string*>(value);
  if (text.size() != 12 || text.find_first_not_of("0123456789") != std::string::npos) {
    return Error(Code::kInvalidArgument, "must be 12 digits");
  }
  return {};
}

Status CheckUrl(const ValueRef& value) {
  const std::string& text = *std::get<std::string*>(value);
  if (!text.empty() && !text.starts_with("https://") && !text.starts_with("http://")) {
    return Error(Code::kInvalidArgument, "must start with https:// or http://");
  }
  return {};
}

Status CheckSmtpUrl(const ValueRef& value) {
  const std::string& text = *std::get<std::string*>(value);
  if (!text.empty() && !text.starts_with("smtp://") && !text.starts_with("smtps://")) {
    return Error(Code::kInvalidArgument, "must start with smtp:// or smtps://");
  }
  if (text.find('@') != std::string::npos) {
    return Error(Code::kInvalidArgument, "must not hold a user: use notify.smtp.credentials_file");
  }
  return {};
}

using O = ServerOptions;

constexpr OptionSpec kOptions[] = {
    {.name = "account_id", .member = Bind<&O::account_id>,
     .help = "The account that all ARNs name: 12 digits.",
     .example = R"("123456789012")", .check = CheckAccount},
    {.name = "region", .member = Bind<&O::region>,
     .help = "The region of ARNs and of SigV4 scopes; a scope with another region is refused. `*` "
             "accepts any.",
     .example = R"("eu-central-1")"},
    {.name = "api.listen", .member = Bind<&O::api_listen>,
     .help = "Address and port of the API (TLS).",
     .example = R"("0.0.0.0:8443")", .check = CheckListen},
    {.name = "api.public_url", .member = Bind<&O::api_public_url>,
     .help = "Base of the links in mails. Empty: made of the first of `tls.hostnames` and the API's "
             "port.",
     .example = R"("https://fleet.example.org:8443")", .check = CheckUrl},
    {.name = "api.rate_per_key", .member = Bind<&O::api_rate_per_key>,
     .help = "Calls per second that one access key may make before it is throttled.",
     .example = R"(1000.0)", .min = 1, .max = 1000000},
    {.name = "api.threads", .member = Bind<&O::api_threads>,
     .help = "Threads that run API calls; 0 means one per core.",
     .example = R"(4)", .min = 0, .max = 256},
    {.name = "mqtt.listen", .member = Bind<&O::mqtt_listen>,
     .help = "Addresses and ports of the broker (mutual TLS). The first is the one written to "
             "endpoint.json.",
     .example = R"(["0.0.0.0:8883", "0.0.0.0:443"])", .check = CheckListen},
    {.name = "mqtt.max_publishes_per_second", .member = Bind<&O::mqtt_max_publishes_per_second>,
     .help = "Publishes of one connection and second that the broker takes; more are acknowledged, counted as discarded "
             "and go nowhere. 0 means no limit.",
     .example = R"(1000)", .min = 0, .max = 1000000},
    {.name = "mqtt.on_denied_subscribe", .member = Bind<&O::mqtt_on_denied_subscribe>,
     .help = "What an MQTT 3.1.1 client sees when a subscription is denied: the connection is closed, "
             "or SUBACK says so.",
     .example = R"("suback")", .choices = "close|suback"},
    {.name = "tls.hostnames", .member = Bind<&O::tls_hostnames>,
     .help = "Further names and addresses in the server certificate, which is issued again when they "
             "change.",
     .example = R"(["fleet.example.org"])"},
    {.name = "detect.min_duration_seconds", .member = Bind<&O::detect_min_duration_seconds>,
     .help = "Shortest `durationSeconds` of a behavior, and the length of the cloud-side buckets.",
     .example = R"(10)", .min = 1, .max = 300},
    {.name = "detect.min_report_interval_seconds", .member = Bind<&O::detect_min_report_interval_seconds>,
     .help = "A thing's reports closer together than this are answered `Throttled`; 0 turns the "
             "throttle off.",
     .example = R"(0)", .min = 0, .max = 86400},
    {.name = "detect.early", .member = Bind<&O::detect_early>,
     .help = "Alarm as soon as a growing counter has broken its upper limit, before its window ends.",
     .example = R"(true)"},
    {.name = "detect.max_new_alarms_per_second", .member = Bind<&O::detect_max_new_alarms_per_second>,
     .help = "New alarms per behavior and second that become events; the rest is counted in one storm, "
             "told by the log.",
     .example = R"(1000)", .min = 1, .max = 1000000},
    {.name = "detect.shards", .member = Bind<&O::detect_shards>,
     .help = "Detection threads; 0 means one per core.",
     .example = R"(2)", .min = 0, .max = 256},
    {.name = "detect.export_interval_seconds", .member = Bind<&O::detect_export_interval_seconds>,
     .help = "Seconds for which exported metric values are gathered into one message.",
     .example = R"(60)", .min = 1, .max = 3600},
    {.name = "ingest.report_for_others", .member = Bind<&O::ingest_report_for_others>,
     .help = "Whether a certificate with exactly one thing may report for other things.",
     .example = R"(false)"},
    {.name = "telemetry.store", .member = Bind<&O::telemetry_store>,
     .help = "Store every value of every report, or only of metrics that a profile uses or retains.",
     .example = R"("all")", .choices = "all|retained"},
    {.name = "telemetry.retention_days", .member = Bind<&O::telemetry_retention_days>,
     .help = "Days for which metric values are kept.",
     .example = R"(14)", .min = 1, .max = 3650},
    {.name = "telemetry.downsampled_days", .member = Bind<&O::telemetry_downsampled_days>,
     .help = "Days for which metric values are kept at lower resolution, counted from now. Not more than "
             "`telemetry.retention_days`: no longer than those.",
     .example = R"(365)", .min = 0, .max = 3650},
    {.name = "telemetry.downsampled_minutes", .member = Bind<&O::telemetry_downsampled_minutes>,
     .help = "Minutes for which one value stands then: the mean of counts and numbers, the latest of lists.",
     .example = R"(60)", .min = 5, .max = 1440},
    {.name = "telemetry.violation_days", .member = Bind<&O::telemetry_violation_days>,
     .help = "Days for which violation events are kept.",
     .example = R"(30)", .min = 1, .max = 3650},
    {.name = "telemetry.connection_days", .member = Bind<&O::telemetry_connection_days>,
     .help = "Days for which connects, disconnects and refusals are kept.",
     .example = R"(31)", .min = 1, .max = 3650},
    {.name = "notify.smtp.url", .member = Bind<&O::notify_smtp_url>,
     .help = "The mail relay: `smtps://host:465`, or `smtp://host:587` with STARTTLS when offered "
             "(`?tls=required`, `?tls=none`). Empty: mails are kept and shown by `fleetward mail`.",
     .example = R"("smtps://mail.example.org:465")", .check = CheckSmtpUrl},
    {.name = "notify.smtp.credentials_file", .member = Bind<&O::notify_smtp_credentials_file>,
     .help = "File (mode 0600) with the relay's user on the first line and the password on the second.",
     .example = R"("/etc/fleetward/smtp")"},
    {.name = "notify.smtp.from", .member = Bind<&O::notify_smtp_from>,
     .help = "Sender address of mails.",
     .example = R"("fleetward@example.org")"},
    {.name = "notify.max_topics", .member = Bind<&O::notify_max_topics>,
     .help = "Most SNS topics.",
     .example = R"(100000)", .min = 1, .max = 1000000},
    {.name = "notify.max_subscriptions_per_topic", .member = Bind<&O::notify_max_subscriptions_per_topic>,
     .help = "Most subscriptions of one topic, pending ones included.",
     .example = R"(10000)", .min = 1, .max = 100000},
    {.name = "notify.max_filter_policies_per_topic", .member = Bind<&O::notify_max_filter_policies_per_topic>,
     .help = "Most subscriptions of one topic that have a filter policy.",
     .example = R"(200)", .min = 0, .max = 100000},
    {.name = "notify.confirmations_per_address_per_hour", .member = Bind<&O::notify_confirmations_per_address_per_hour>,
     .help = "Confirmation messages that one endpoint may be sent in an hour.",
     .example = R"(5)", .min = 1, .max = 1000000},
    {.name = "notify.confirmations_per_key_per_hour", .member = Bind<&O::notify_confirmations_per_key_per_hour>,
     .help = "Confirmation messages that one access key may cause in an hour.",
     .example = R"(50)", .min = 1, .max = 1000000},
    {.name = "registry.thing_type_delete_delay_seconds", .member = Bind<&O::registry_thing_type_delete_delay_seconds>,
     .help = "Seconds after its deprecation before a thing type may be deleted.",
     .example = R"(300)", .min = 0, .max = 86400},
    {.name = "quota.attributes_without_type", .member = Bind<&O::quota_attributes_without_type>,
     .help = "Attributes of a thing that has no thing type.",
     .example = R"(3)", .min = 0, .max = 50},
    {.name = "quota.attributes_with_type", .member = Bind<&O::quota_attributes_with_type>,
     .help = "Attributes of a thing with a thing type.",
     .example = R"(50)", .min = 0, .max = 1000},
    {.name = "quota.attribute_bytes", .member = Bind<&O::quota_attribute_bytes>,
     .help = "Bytes of all names and values of one thing's or group's attributes.",
     .example = R"(48128)", .min = 0, .max = 1048576},
    {.name = "quota.group_attributes", .member = Bind<&O::quota_group_attributes>,
     .help = "Attributes of a thing group.",
     .example = R"(50)", .min = 0, .max = 1000},
    {.name = "quota.searchable_attributes", .member = Bind<&O::quota_searchable_attributes>,
     .help = "Searchable attributes of a thing type.",
     .example = R"(3)", .min = 0, .max = 50},
    {.name = "quota.groups_per_thing", .member = Bind<&O::quota_groups_per_thing>,
     .help = "Thing groups that one thing is a direct member of.",
     .example = R"(10)", .min = 1, .max = 1000},
    {.name = "quota.group_depth", .member = Bind<&O::quota_group_depth>,
     .help = "Levels of a hierarchy of thing groups, the root included.",
     .example = R"(7)", .min = 1, .max = 50},
    {.name = "quota.children_per_group", .member = Bind<&O::quota_children_per_group>,
     .help = "Direct children of a thing group.",
     .example = R"(100)", .min = 0, .max = 100000},
    {.name = "quota.principals_per_thing", .member = Bind<&O::quota_principals_per_thing>,
     .help = "Certificates attached to one thing.",
     .example = R"(100)", .min = 0, .max = 10000},
    {.name = "quota.dynamic_groups", .member = Bind<&O::quota_dynamic_groups>,
     .help = "Dynamic thing groups of the account.",
     .example = R"(100)", .min = 0, .max = 10000},
    {.name = "quota.cas_per_subject", .member = Bind<&O::quota_cas_per_subject>,
     .help = "CA certificates with the same subject.",
     .example = R"(10)", .min = 1, .max = 1000},
    {.name = "quota.policies_per_principal", .member = Bind<&O::quota_policies_per_principal>,
     .help = "Policies attached to one certificate.",
     .example = R"(10)", .min = 0, .max = 100},
    {.name = "quota.policies_per_group", .member = Bind<&O::quota_policies_per_group>,
     .help = "Policies attached to one thing group.",
     .example = R"(2)", .min = 0, .max = 100},
    {.name = "quota.policy_versions", .member = Bind<&O::quota_policy_versions>,
     .help = "Versions of one policy.",
     .example = R"(5)", .min = 1, .max = 100},
    {.name = "quota.policy_characters", .member = Bind<&O::quota_policy_characters>,
     .help = "Characters of a policy document, white space not counted.",
     .example = R"(2048)", .min = 1, .max = 2048},
    {.name = "quota.behaviors_per_profile", .member = Bind<&O::quota_behaviors_per_profile>,
     .help = "Behaviors of a security profile; the API takes no more than 100.",
     .example = R"(100)", .min = 0, .max = 100},
    {.name = "quota.values_per_profile", .member = Bind<&O::quota_values_per_profile>,
     .help = "Elements (ports, networks, …) in all values of a security profile's behaviors; also its additional "
             "metrics to retain.",
     .example = R"(1000)", .min = 0, .max = 100000},
    {.name = "quota.profiles_per_target", .member = Bind<&O::quota_profiles_per_target>,
     .help = "Security profiles attached to one target.",
     .example = R"(5)", .min = 0, .max = 100},
    {.name = "quota.custom_metrics", .member = Bind<&O::quota_custom_metrics>,
     .help = "Custom metrics of the account.",
     .example = R"(100)", .min = 0, .max = 10000},
    {.name = "quota.dimensions", .member = Bind<&O::quota_dimensions>,
     .help = "Dimensions of the account.",
     .example = R"(10)", .min = 0, .max = 10000},
    {.name = "quota.role_aliases", .member = Bind<&O::quota_role_aliases>,
     .help = "Role aliases of the account.",
     .example = R"(100)", .min = 0, .max = 10000},
    {.name = "quota.log_levels", .member = Bind<&O::quota_log_levels>,
     .help = "Log targets with a level of their own.",
     .example = R"(1000)", .min = 0, .max = 100000},
    {.name = "quota.tags_per_resource", .member = Bind<&O::quota_tags_per_resource>,
     .help = "Tags of one resource.",
     .example = R"(50)", .min = 0, .max = 1000},
    {.name = "fetch.allow_loopback", .member = Bind<&O::fetch_allow_loopback>,
     .help = "Send outgoing requests (HTTP subscriptions, revocation lists) to loopback addresses, and "
             "to no others. For tests.",
     .example = R"(false)"},
    {.name = "fetch.allow_private", .member = Bind<&O::fetch_allow_private>,
     .help = "Allow outgoing requests to private addresses (10.0.0.0/8, 192.168.0.0/16, fc00::/7, …).",
     .example = R"(true)"},
    {.name = "fetch.ca_file", .member = Bind<&O::fetch_ca_file>,
     .help = "Further CA certificates (PEM) trusted for outgoing https requests and the mail relay.",
     .example = R"("/etc/fleetward/extra-ca.pem")"},
    {.name = "operator_log.retention_days", .member = Bind<&O::operator_log_retention_days>,
     .help = "Days for which the operator log is kept.",
     .example = R"(365)", .min = 1, .max = 36500},
    {.name = "log.level", .member = Bind<&O::log_level>,
     .help = "The least severe log lines that are written.",
     .example = R"("info")", .choices = "debug|info|warning|error"},
    {.name = "metrics.listen", .member = Bind<&O::metrics_listen>,
     .help = "Address and port of `/metrics` and `/healthz`; empty turns both off.",
     .example = R"("127.0.0.1:9464")", .check = CheckListenOrEmpty},
};

constexpr OptionTable kTable{.title = "Server", .options = kOptions};

}  // namespace

const OptionTable& ServerTable() { return kTable; }

Result<HostPort> ParseHostPort(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    return Error(Code::kInvalidArgument, "must be host:port, not \"" + std::string(text) + "\"");
  }
  std::string_view host = text.substr(0, colon);
  std::string_view digits = text.substr(colon + 1);
  HostPort result;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result.port);
  if (error != std::errc() || end != digits.data() + digits.size() || result.port == 0) {
    return Error(Code::kInvalidArgument, "the port must be a number from 1 to 65535, not \"" + std::string(digits) + "\"");
  }
  bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string_view::npos) {
    return Error(Code::kInvalidArgument, "an IPv6 address needs brackets: [::1]:8883");
  }
  result.host = host;
  return result;
}

}  // namespace fleetward::config
