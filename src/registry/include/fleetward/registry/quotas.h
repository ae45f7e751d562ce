// The registry's limits (core.md §3, detect.md §7); set by the quota.* options, whose defaults are these.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fleetward::registry {

struct Quotas {
  std::size_t attributes_without_type = 3;
  std::size_t attributes_with_type = 50;
  std::size_t attribute_bytes = 47 * 1024;  // of all names and values together
  std::size_t group_attributes = 50;
  std::size_t searchable_attributes = 3;    // of a thing type
  std::size_t groups_per_thing = 10;
  std::size_t group_depth = 7;
  std::size_t children_per_group = 100;
  std::size_t dynamic_groups = 100;
  std::size_t custom_index_fields = 5;  // of an index
  std::size_t cas_per_subject = 10;
  std::size_t policies_per_principal = 10;
  std::size_t policies_per_group = 2;
  std::size_t policy_versions = 5;
  std::size_t policy_characters = 2048;     // without white space
  std::size_t principals_per_thing = 100;
  std::size_t behaviors_per_profile = 100;
  std::size_t value_elements_per_profile = 1000;
  std::size_t profiles_per_target = 5;
  std::size_t custom_metrics = 100;
  std::size_t dimensions = 10;
  std::size_t role_aliases = 100;
  std::size_t log_levels = 1000;            // by target
  std::size_t tags_per_resource = 50;
  std::int32_t min_duration_seconds = 300;             // detect.min_duration_seconds
  std::int64_t thing_type_delete_delay_seconds = 300;  // after deprecation
};

}  // namespace fleetward::registry
