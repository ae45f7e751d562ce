#include <algorithm>
#include <map>

#include "detect_families.h"

namespace fleetward::api {
namespace {

using namespace iot;

ModelStatus ToApi(detect::ml::ModelStatus status) {
  switch (status) {
    case detect::ml::ModelStatus::kActive: return ModelStatus::kActive;
    case detect::ml::ModelStatus::kExpired: return ModelStatus::kExpired;
    case detect::ml::ModelStatus::kPendingBuild: break;
  }
  return ModelStatus::kPendingBuild;
}

/// One for each ML behavior, also of profiles without targets, by profile and behavior.
Result<GetBehaviorModelTrainingSummariesResponse> List(const DetectServices& services, const CallContext& context,
                                                       const GetBehaviorModelTrainingSummariesRequest& request) {
  const std::string profile_name = TextOf(request.security_profile_name);
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, profile_name));
  if (request.security_profile_name) {
    FW_TRY(services.registry.security_profiles.Describe(model::SecurityProfileName(profile_name)));
  }
  std::map<std::pair<std::string, std::string>, detect::TrainingSummary> known;
  if (services.training) {
    for (detect::TrainingSummary& summary : services.training()) {
      known.emplace(std::pair(summary.profile.value(), summary.behavior.value()), summary);
    }
  }
  FW_ASSIGN(auto profiles, services.registry.security_profiles.All());
  std::map<std::pair<std::string, std::string>, BehaviorModelTrainingSummary> all;
  for (const auto& each : profiles) {
    if (request.security_profile_name && each.profile.name.value() != profile_name) continue;
    for (const model::Behavior& behavior : registry::EngineForm(each.profile).behaviors) {
      if (!behavior.criteria || !behavior.criteria->ml_confidence) continue;
      std::pair key(each.profile.name.value(), behavior.name.value());
      auto found = known.find(key);
      detect::TrainingSummary summary = found == known.end() ? detect::TrainingSummary() : found->second;
      BehaviorModelTrainingSummary& out = all[key];
      out.security_profile_name = key.first;
      out.behavior_name = key.second;
      out.model_status = ToApi(summary.status);
      out.datapoints_collection_percentage = std::clamp(summary.collected_percent, 0.0, 100.0);
      out.training_data_collection_start_date = summary.started;
      out.last_model_refresh_date = summary.refreshed;
    }
  }
  GetBehaviorModelTrainingSummariesResponse response;
  response.summaries.emplace();
  std::string last;
  for (auto& [key, summary] : all) {
    std::string position = key.first + '\n' + key.second;
    if (!page.after.empty() && position <= page.after) continue;
    if (response.summaries->size() == page.limit) {
      response.next_token = NextToken(context, last, profile_name);
      break;
    }
    response.summaries->push_back(std::move(summary));
    last = std::move(position);
  }
  return response;
}

}  // namespace

void RegisterTraining(Router& router, const DetectServices& services) {
  router.Handle<GetBehaviorModelTrainingSummaries>(
      [services](auto& context, auto& request) { return List(services, context, request); });
}

}  // namespace fleetward::api
