// What `fleetward up` and `fleetward serve` can be told (issue "Fixed names"; D25, D30, D33, D35).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleetward/config/option.h"

namespace fleetward::config {

/// The defaults are the member initializers. Durations carry their unit in the name.
struct ServerOptions {
  std::string account_id = "123456789012";
  std::string region = "us-east-1";

  std::string api_listen = "127.0.0.1:8443";
  std::string api_public_url;  // empty: https:// + the first of tls_hostnames + the API's port
  double api_rate_per_key = 1000;
  std::int64_t api_threads = 0;  // 0: one per core

  std::vector<std::string> mqtt_listen = {"0.0.0.0:8883"};
  std::int64_t mqtt_max_publishes_per_second = 100;
  std::string mqtt_on_denied_subscribe = "close";

  std::vector<std::string> tls_hostnames;

  std::int64_t detect_min_duration_seconds = 300;
  std::int64_t detect_min_report_interval_seconds = 300;
  bool detect_early = true;
  std::int64_t detect_max_new_alarms_per_second = 1000;
  std::int64_t detect_shards = 0;  // 0: one per core
  std::int64_t detect_export_interval_seconds = 60;

  bool ingest_report_for_others = false;

  std::string telemetry_store = "all";
  std::int64_t telemetry_retention_days = 14;
  std::int64_t telemetry_downsampled_days = 0;
  std::int64_t telemetry_downsampled_minutes = 60;
  std::int64_t telemetry_violation_days = 30;
  std::int64_t telemetry_connection_days = 31;

  std::string notify_smtp_url;
  std::string notify_smtp_credentials_file;
  std::string notify_smtp_from = "fleetward@localhost";
  std::int64_t notify_max_topics = 100000;
  std::int64_t notify_max_subscriptions_per_topic = 10000;
  std::int64_t notify_max_filter_policies_per_topic = 200;
  std::int64_t notify_confirmations_per_address_per_hour = 5;
  std::int64_t notify_confirmations_per_key_per_hour = 50;

  std::int64_t registry_thing_type_delete_delay_seconds = 300;

  // registry::Quotas; the defaults are the service's (core.md §3).
  std::int64_t quota_attributes_without_type = 3;
  std::int64_t quota_attributes_with_type = 50;
  std::int64_t quota_attribute_bytes = 48128;
  std::int64_t quota_group_attributes = 50;
  std::int64_t quota_searchable_attributes = 3;
  std::int64_t quota_groups_per_thing = 10;
  std::int64_t quota_group_depth = 7;
  std::int64_t quota_children_per_group = 100;
  std::int64_t quota_principals_per_thing = 100;
  std::int64_t quota_dynamic_groups = 100;
  std::int64_t quota_cas_per_subject = 10;
  std::int64_t quota_policies_per_principal = 10;
  std::int64_t quota_policies_per_group = 2;
  std::int64_t quota_policy_versions = 5;
  std::int64_t quota_policy_characters = 2048;
  std::int64_t quota_behaviors_per_profile = 100;
  std::int64_t quota_values_per_profile = 1000;
  std::int64_t quota_profiles_per_target = 5;
  std::int64_t quota_custom_metrics = 100;
  std::int64_t quota_dimensions = 10;
  std::int64_t quota_role_aliases = 100;
  std::int64_t quota_log_levels = 1000;
  std::int64_t quota_tags_per_resource = 50;

  bool fetch_allow_loopback = false;
  bool fetch_allow_private = true;
  std::string fetch_ca_file;

  std::int64_t operator_log_retention_days = 365;

  std::string log_level = "info";
  std::string metrics_listen = "127.0.0.1:9464";
};

/// The table that binds ServerOptions.
const OptionTable& ServerTable();

/// Splits "host:port", "[::1]:8883" or "0.0.0.0:8883". Errors: kInvalidArgument (no port, port out of 1-65535).
struct HostPort {
  std::string host;  // without brackets
  std::uint16_t port = 0;
};
Result<HostPort> ParseHostPort(std::string_view text);

}  // namespace fleetward::config
