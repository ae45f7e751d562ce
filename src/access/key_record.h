// Stored form of an access key. Private.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/access/principal.h"
#include "fleetward/base/result.h"
#include "fleetward/base/time.h"

namespace fleetward::access {

/// Row of table access_keys, by key id. Layout (ByteWriter): version 2, role, active, created ms, description, sealed
/// secret (bound to the id), expiry ms or 0, number of thing groups of the scope, their names. Version 1 ends after the
/// secret.
struct KeyRecord {
  Role role = Role::kViewer;
  bool active = true;
  Timestamp created{};
  std::string description;
  std::string sealed_secret;
  std::optional<Timestamp> expires;
  std::vector<std::string> scope;  // empty: none
};

std::string EncodeKeyRecord(const KeyRecord& record);
/// Error: kCorrupt.
Result<KeyRecord> DecodeKeyRecord(std::string_view bytes);

}  // namespace fleetward::access
