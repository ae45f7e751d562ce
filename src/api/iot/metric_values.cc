#include "detect_families.h"

#include "fleetward/model/dimension.h"

namespace fleetward::api {
namespace {

using namespace iot;

struct Metric {
  model::MetricId id = 0;
  bool dimension = false;  // may be narrowed by one
};

/// Errors: kNotFound.
Result<Metric> FindMetric(const registry::Registry& registry, const std::string& name) {
  if (const model::MetricInfo* info = model::FindBuiltinMetric(name)) return Metric{model::IdOf(info->id), info->dimension};
  FW_ASSIGN(auto metric, registry.custom_metrics.Describe(model::CustomMetricName(name)));
  return Metric{metric.id, false};
}

/// Whether a profile that covers the thing uses or retains this series.
Result<bool> IsWatched(const DetectServices& services, const ListMetricValuesRequest& request, bool registered,
                       const std::optional<model::MetricDimension>& dimension) {
  auto groups = services.directory.GroupsOf(request.thing_name);
  FW_ASSIGN(auto profiles, services.registry.security_profiles.Covering(registered, groups));
  for (const registry::SecurityProfile& profile : profiles) {
    model::SecurityProfile form = registry::EngineForm(profile);
    for (const model::Behavior& behavior : form.behaviors) {
      if (behavior.metric == request.metric_name && behavior.dimension == dimension) return true;
    }
    for (const model::MetricToRetain& metric : form.additional_metrics_to_retain) {
      if (metric.metric == request.metric_name && metric.dimension == dimension) return true;
    }
  }
  return false;
}

struct Narrowed {
  std::optional<model::MetricDimension> dimension;
  std::uint32_t series = 0;
};

Result<Narrowed> DimensionOf(const registry::Registry& registry, const Metric& metric,
                                                          const ListMetricValuesRequest& request) {
  if (!request.dimension_name) {
    if (!request.dimension_value_operator) return Narrowed{};
    return Error(Code::kInvalidArgument, "dimensionValueOperator needs a dimensionName");
  }
  model::DimensionName name(*request.dimension_name);
  FW_ASSIGN(auto dimension, registry.dimensions.Describe(name));
  if (!metric.dimension) {
    return Error(Code::kInvalidArgument, "metric " + request.metric_name + " cannot be used with a dimension");
  }
  bool not_in = request.dimension_value_operator == DimensionValueOperator::kNotIn;
  auto op = not_in ? model::DimensionOperator::kNotIn : model::DimensionOperator::kIn;
  return Narrowed{model::MetricDimension{dimension.name, op}, model::DimensionSeries(dimension.number, op)};
}

// What lies before retention or in the future is legal and holds nothing (D27).
Status CheckRange(const ListMetricValuesRequest& request) {
  if (request.end_time < request.start_time) {
    return Error(Code::kInvalidArgument, "endTime must not be before startTime");
  }
  return {};
}

Result<ListMetricValuesResponse> List(const DetectServices& services, const CallContext& context,
                                      const ListMetricValuesRequest& request) {
  FW_TRY(CheckRange(request));
  FW_ASSIGN(Metric metric, FindMetric(services.registry, request.metric_name));
  FW_ASSIGN(Narrowed narrowed, DimensionOf(services.registry, metric, request));
  // A position is a place in one series.
  std::string binding = request.thing_name + '\n' + request.metric_name;
  if (narrowed.series != 0) binding += '\n' + std::to_string(narrowed.series);
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, binding));
  ListMetricValuesResponse response;
  response.metric_datum_list.emplace();
  registry::ThingIdentity thing = services.directory.Identify(request.thing_name);
  FW_ASSIGN(bool watched, IsWatched(services, request, thing.registered, narrowed.dimension));
  if (!watched) return response;
  telemetry::SeriesQuery query;
  query.entity = thing.entity;
  query.key = {metric.id, narrowed.series};
  query.start = request.start_time;
  query.end = request.end_time;
  query.max_points = static_cast<std::uint32_t>(page.limit);
  query.resume = page.after;
  FW_ASSIGN(auto series, services.telemetry.Series(query));
  for (const telemetry::Datapoint& point : series.points) {
    response.metric_datum_list->push_back({point.time, ToApi(point.value)});
  }
  response.next_token = NextToken(context, series.resume, binding);
  return response;
}

}  // namespace

void RegisterMetricValues(Router& router, const DetectServices& services) {
  router.Handle<ListMetricValues>(
      [services](auto& context, auto& request) { return List(services, context, request); });
}

void RegisterDetectHandlers(Router& router, const DetectServices& services) {
  RegisterSecurityProfiles(router, services.registry.security_profiles);
  RegisterCustomMetrics(router, services.registry.custom_metrics);
  RegisterDimensions(router, services.registry.dimensions);
  RegisterViolations(router, services);
  RegisterTraining(router, services);
  RegisterMetricValues(router, services);
}

}  // namespace fleetward::api
