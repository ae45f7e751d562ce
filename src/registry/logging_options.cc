#include "fleetward/registry/logging_options.h"

#include "access.h"
#include "fleetward/registry/names.h"
#include "lookup.h"
#include "record_form.h"

namespace fleetward::registry {
namespace {

constexpr std::string_view kV1 = "logging";
constexpr std::string_view kV2 = "logging_v2";
constexpr std::string_view kDefaultTarget = "DEFAULT";
constexpr std::size_t kMaxTargetName = 256;

Result<std::optional<LoggingOptions>> FindV1(ConstReader reader) {
  return Find<LoggingOptions>(reader, kAccountSettings, kV1, [](std::string_view row) {
    RecordReader in(row);
    LoggingOptions options;
    options.role_arn = in.Text();
    options.level = in.Text();
    return in.Finish(std::move(options), "logging options");
  });
}

Result<std::optional<V2LoggingOptions>> FindV2(ConstReader reader) {
  return Find<V2LoggingOptions>(reader, kAccountSettings, kV2, [](std::string_view row) {
    RecordReader in(row);
    V2LoggingOptions options;
    options.role_arn = in.Text();
    options.default_level = in.Text();
    options.disable_all = in.U8() == 1;
    return in.Finish(std::move(options), "logging options");
  });
}

Status PutV2(Transaction& tx, const V2LoggingOptions& options) {
  std::string record;
  RecordWriter out(record);
  out.Bytes(options.role_arn);
  out.Bytes(options.default_level);
  out.U8(options.disable_all ? 1 : 0);
  return tx.Put(kAccountSettings, kV2, record);
}

Result<V2LoggingOptions> GetConfigured(ConstReader reader) {
  FW_ASSIGN(auto options, FindV2(reader));
  if (!options) return Error(Code::kNotConfigured, "Logging is not configured: call SetV2LoggingOptions first");
  return std::move(*options);
}

Status CheckTarget(std::string_view type, std::string_view name) {
  if (type == kDefaultTarget) {
    if (name.empty()) return {};
    return Error(Code::kInvalidArgument, "The log target DEFAULT has no targetName");
  }
  if (name.empty()) return Error(Code::kInvalidArgument, "A log target of type " + std::string(type) + " needs a targetName");
  if (name.size() > kMaxTargetName) {
    return Error(Code::kInvalidArgument, "targetName is longer than " + std::to_string(kMaxTargetName) + " bytes");
  }
  return {};
}

Result<std::optional<LogTargetLevel>> LevelOf(std::string_view key, std::string_view level) {
  auto parts = store::SplitOrderedKey(key);
  if (!parts || parts->size() != 2) return Error(Code::kCorrupt, "a stored log level is damaged");
  return std::optional<LogTargetLevel>({(*parts)[0], (*parts)[1], std::string(level)});
}

}  // namespace

Result<LoggingOptions> Logging::Get() const {
  return store::ReadFor<LoggingOptions>(context_.store, [&](ConstReader reader) -> Result<LoggingOptions> {
    FW_ASSIGN(auto options, FindV1(reader));
    return options.value_or(LoggingOptions{});
  });
}

Status Logging::Set(std::string_view actor, const LoggingOptions& options) {
  FW_TRY(CheckRoleArn(options.role_arn));
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet&) -> Status {
    std::string record;
    RecordWriter out(record);
    out.Bytes(options.role_arn);
    out.Bytes(options.level);
    return tx.Put(kAccountSettings, kV1, record);
  });
}

Result<V2LoggingOptions> Logging::GetV2() const {
  return store::ReadFor<V2LoggingOptions>(context_.store, [](ConstReader reader) { return GetConfigured(reader); });
}

Status Logging::SetV2(std::string_view actor, const V2LoggingUpdate& update) {
  if (update.role_arn) FW_TRY(CheckRoleArn(*update.role_arn));
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet&) -> Status {
    FW_ASSIGN(auto present, FindV2(tx));
    if (!present && !update.role_arn) return Error(Code::kInvalidArgument, "roleArn is required to configure logging");
    V2LoggingOptions options = present.value_or(V2LoggingOptions{});
    options.role_arn = update.role_arn.value_or(options.role_arn);
    options.default_level = update.default_level.value_or(options.default_level);
    options.disable_all = update.disable_all.value_or(options.disable_all);
    return PutV2(tx, options);
  });
}

Status Logging::SetLevel(std::string_view actor, const LogTargetLevel& level) {
  FW_TRY(CheckTarget(level.type, level.name));
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet&) -> Status {
    FW_ASSIGN(V2LoggingOptions options, GetConfigured(tx));
    if (level.type == kDefaultTarget) {
      options.default_level = level.level;
      return PutV2(tx, options);
    }
    std::string key = OrderedKey({level.type, level.name});
    FW_ASSIGN(auto present, tx.Get(kLogLevels, key));
    if (!present) FW_TRY(CheckCount(tx, kLogLevels, context_.quotas.log_levels, "log levels"));
    return tx.Put(kLogLevels, key, level.level);
  });
}

Status Logging::DeleteLevel(std::string_view actor, std::string_view type, std::string_view name) {
  if (type == kDefaultTarget) return Error(Code::kInvalidArgument, "The log target DEFAULT cannot be deleted");
  FW_TRY(CheckTarget(type, name));
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet&) {
    return tx.Erase(kLogLevels, OrderedKey({type, name}));
  });
}

Result<Page<LogTargetLevel>> Logging::ListLevels(std::string_view type, const PageRequest& request) const {
  using Levels = Page<LogTargetLevel>;
  return store::ReadFor<Levels>(context_.store, [&](ConstReader reader) -> Result<Levels> {
    FW_ASSIGN(V2LoggingOptions options, GetConfigured(reader));
    LogTargetLevel common{std::string(kDefaultTarget), {}, options.default_level};
    if (type == kDefaultTarget) return Levels{{std::move(common)}, {}};
    std::string from = type.empty() ? std::string() : OrderedKey({type});
    PageRequest rest = request;
    bool first = type.empty() && request.after.empty();
    // The default level is stored elsewhere: it takes the first place, whose key "DEFAULT" sorts behind no other's.
    if (first && rest.limit > 1) --rest.limit;
    if (first && request.limit == 1) return Levels{{std::move(common)}, OrderedKey({""})};
    FW_ASSIGN(Levels page, PageOf<LogTargetLevel>(reader, kLogLevels, from, from.empty() ? "" : PrefixEnd(from), rest, LevelOf));
    if (first) page.items.insert(page.items.begin(), std::move(common));
    return page;
  });
}

}  // namespace fleetward::registry
