// Logging options, old (v1) and fine-grained (v2): stored, and given back, for scripts and for audit. What this server
// logs is ruled by log.level alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

/// Levels are the API's words: DEBUG, INFO, ERROR, WARN, DISABLED.
struct LoggingOptions {
  std::string role_arn{};
  std::string level = "DISABLED";
};

struct V2LoggingOptions {
  std::string role_arn{};
  std::string default_level = "ERROR";
  bool disable_all = false;
};

struct V2LoggingUpdate {
  std::optional<std::string> role_arn{};
  std::optional<std::string> default_level{};
  std::optional<bool> disable_all{};
};

struct LogTargetLevel {
  std::string type{};  // "DEFAULT", "THING_GROUP", "CLIENT_ID", "SOURCE_IP", "PRINCIPAL_ID"
  std::string name{};  // empty for DEFAULT
  std::string level{};
};

class Logging {
 public:
  explicit Logging(const Context& context) : context_(context) {}

  /// Nothing was ever set: no role, DISABLED.
  Result<LoggingOptions> Get() const;
  /// Errors: kInvalidArgument (the role ARN).
  Status Set(std::string_view actor, const LoggingOptions& options);

  /// Errors: kNotConfigured before the first SetV2.
  Result<V2LoggingOptions> GetV2() const;
  /// Members that are left out stay. Errors: kInvalidArgument (no role at the first call).
  Status SetV2(std::string_view actor, const V2LoggingUpdate& update);

  /// The DEFAULT target is the default level. Errors: kNotConfigured, kInvalidArgument (a name is missing or too much),
  /// kLimitExceeded.
  Status SetLevel(std::string_view actor, const LogTargetLevel& level);
  /// A target that has none is no error. Errors: kInvalidArgument (DEFAULT).
  Status DeleteLevel(std::string_view actor, std::string_view type, std::string_view name);
  /// By type, then name; `type` empty: all, DEFAULT first. Errors: kNotConfigured.
  Result<Page<LogTargetLevel>> ListLevels(std::string_view type, const PageRequest& page) const;

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
