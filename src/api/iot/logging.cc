#include "families.h"
#include "fleetward/api/iot/account.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::Registry;

std::optional<std::string> NameOf(const std::optional<LogLevel>& level) {
  if (!level) return std::nullopt;
  return std::string(ToString(*level));
}

Status Set(Registry& registry, const CallContext& context, const LoggingOptionsPayload& payload) {
  registry::LoggingOptions options;
  options.role_arn = payload.role_arn;
  options.level = NameOf(payload.log_level).value_or(options.level);
  return registry.logging.Set(ActorOf(context), options);
}

Result<ListV2LoggingLevelsResponse> List(Registry& registry, const CallContext& context,
                                         const ListV2LoggingLevelsRequest& request) {
  std::string type(request.target_type ? ToString(*request.target_type) : "");
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, type));
  FW_ASSIGN(auto levels, registry.logging.ListLevels(type, page));
  ListV2LoggingLevelsResponse response;
  response.log_target_configurations.emplace();
  for (auto& level : levels.items) {
    LogTarget target{ParseLogTargetType(level.type).value_or(LogTargetType::kDefault), UnlessEmpty(std::move(level.name))};
    response.log_target_configurations->push_back({std::move(target), ParseLogLevel(level.level)});
  }
  response.next_token = NextToken(context, levels.next, type);
  return response;
}

}  // namespace

void RegisterLogging(Router& router, Registry& registry) {
  router.Handle<GetLoggingOptions>(
      [&](const CallContext&, const GetLoggingOptionsRequest&) -> Result<GetLoggingOptionsResponse> {
        FW_ASSIGN(auto options, registry.logging.Get());
        return GetLoggingOptionsResponse{UnlessEmpty(std::move(options.role_arn)), ParseLogLevel(options.level)};
      });
  router.Handle<SetLoggingOptions>(
      [&](const CallContext& context, const SetLoggingOptionsRequest& request) -> Result<Empty> {
        FW_TRY(Set(registry, context, request.logging_options_payload));
        return Empty{};
      });
  router.Handle<GetV2LoggingOptions>(
      [&](const CallContext&, const GetV2LoggingOptionsRequest&) -> Result<GetV2LoggingOptionsResponse> {
        FW_ASSIGN(auto options, registry.logging.GetV2());
        return GetV2LoggingOptionsResponse{std::move(options.role_arn), ParseLogLevel(options.default_level),
                                           options.disable_all};
      });
  router.Handle<SetV2LoggingOptions>(
      [&](const CallContext& context, const SetV2LoggingOptionsRequest& request) -> Result<Empty> {
        FW_TRY(registry.logging.SetV2(ActorOf(context), {request.role_arn, NameOf(request.default_log_level),
                                                         request.disable_all_logs}));
        return Empty{};
      });
  router.Handle<SetV2LoggingLevel>(
      [&](const CallContext& context, const SetV2LoggingLevelRequest& request) -> Result<Empty> {
        FW_TRY(registry.logging.SetLevel(ActorOf(context), {std::string(ToString(request.log_target.target_type)),
                                                            TextOf(request.log_target.target_name),
                                                            std::string(ToString(request.log_level))}));
        return Empty{};
      });
  router.Handle<DeleteV2LoggingLevel>(
      [&](const CallContext& context, const DeleteV2LoggingLevelRequest& request) -> Result<Empty> {
        FW_TRY(registry.logging.DeleteLevel(ActorOf(context), ToString(request.target_type), request.target_name));
        return Empty{};
      });
  router.Handle<ListV2LoggingLevels>([&](auto& context, auto& request) { return List(registry, context, request); });
}

}  // namespace fleetward::api
