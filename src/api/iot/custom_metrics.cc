#include "detect_families.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::CustomMetrics;
using MetricName = model::CustomMetricName;

/// Describe and Update answer alike.
template <class Response>
Response Described(const CustomMetrics& metrics, const registry::CustomMetric& metric) {
  Response response;
  response.metric_name = metric.name.value();
  response.metric_arn = metrics.Arn(metric.name);
  response.metric_type = ParseCustomMetricType(model::CustomMetricTypeName(metric.type));
  response.display_name = metric.display_name;
  response.creation_date = metric.created;
  response.last_modified_date = metric.modified;
  return response;
}

Result<CreateCustomMetricResponse> Create(CustomMetrics& metrics, const CallContext& context,
                                          const CreateCustomMetricRequest& request) {
  registry::NewCustomMetric metric;
  metric.name = MetricName(request.metric_name);
  metric.type = model::ParseCustomMetricType(ToString(request.metric_type)).value_or(model::CustomMetricType::kNumber);
  metric.display_name = request.display_name;
  metric.request_token = request.client_request_token;
  FW_ASSIGN(metric.tags, TagsOf(request.tags));
  FW_ASSIGN(auto created, metrics.Create(ActorOf(context), metric));
  return CreateCustomMetricResponse{created.name.value(), metrics.Arn(created.name)};
}

Result<ListCustomMetricsResponse> List(const CustomMetrics& metrics, const CallContext& context,
                                       const ListCustomMetricsRequest& request) {
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results));
  FW_ASSIGN(auto names, metrics.List(page));
  ListCustomMetricsResponse response;
  response.metric_names.emplace();
  for (const MetricName& name : names.items) response.metric_names->push_back(name.value());
  response.next_token = NextToken(context, names.next);
  return response;
}

}  // namespace

void RegisterCustomMetrics(Router& router, CustomMetrics& metrics) {
  router.Handle<CreateCustomMetric>(
      [&metrics](auto& context, auto& request) { return Create(metrics, context, request); });
  router.Handle<DescribeCustomMetric>(
      [&metrics](auto&, const DescribeCustomMetricRequest& request) -> Result<DescribeCustomMetricResponse> {
        FW_ASSIGN(auto metric, metrics.Describe(MetricName(request.metric_name)));
        return Described<DescribeCustomMetricResponse>(metrics, metric);
      });
  router.Handle<ListCustomMetrics>([&metrics](auto& context, auto& request) { return List(metrics, context, request); });
  router.Handle<UpdateCustomMetric>(
      [&metrics](auto& context, const UpdateCustomMetricRequest& request) -> Result<UpdateCustomMetricResponse> {
        FW_ASSIGN(auto metric, metrics.Update(ActorOf(context), MetricName(request.metric_name), request.display_name));
        return Described<UpdateCustomMetricResponse>(metrics, metric);
      });
  router.Handle<DeleteCustomMetric>(
      [&metrics](auto& context, const DeleteCustomMetricRequest& request) -> Result<DeleteCustomMetricResponse> {
        FW_TRY(metrics.Delete(ActorOf(context), MetricName(request.metric_name)));
        return DeleteCustomMetricResponse{};
      });
}

}  // namespace fleetward::api
