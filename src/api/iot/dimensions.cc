#include "detect_families.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::Dimensions;
using model::DimensionName;

/// Describe and Update answer alike.
template <class Response>
Response Described(const Dimensions& dimensions, const registry::Dimension& dimension) {
  Response response;
  response.name = dimension.name.value();
  response.arn = dimensions.Arn(dimension.name);
  response.type = DimensionType::kTopicFilter;
  response.string_values = dimension.topic_filters;
  response.creation_date = dimension.created;
  response.last_modified_date = dimension.modified;
  return response;
}

Result<CreateDimensionResponse> Create(Dimensions& dimensions, const CallContext& context,
                                       const CreateDimensionRequest& request) {
  registry::NewDimension dimension;
  dimension.name = DimensionName(request.name);
  dimension.topic_filters = request.string_values;
  dimension.request_token = request.client_request_token;
  FW_ASSIGN(dimension.tags, TagsOf(request.tags));
  FW_ASSIGN(auto created, dimensions.Create(ActorOf(context), dimension));
  return CreateDimensionResponse{created.name.value(), dimensions.Arn(created.name)};
}

Result<ListDimensionsResponse> List(const Dimensions& dimensions, const CallContext& context,
                                    const ListDimensionsRequest& request) {
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results));
  FW_ASSIGN(auto names, dimensions.List(page));
  ListDimensionsResponse response;
  response.dimension_names.emplace();
  for (const DimensionName& name : names.items) response.dimension_names->push_back(name.value());
  response.next_token = NextToken(context, names.next);
  return response;
}

}  // namespace

void RegisterDimensions(Router& router, Dimensions& dimensions) {
  router.Handle<CreateDimension>(
      [&dimensions](auto& context, auto& request) { return Create(dimensions, context, request); });
  router.Handle<DescribeDimension>(
      [&dimensions](auto&, const DescribeDimensionRequest& request) -> Result<DescribeDimensionResponse> {
        FW_ASSIGN(auto dimension, dimensions.Describe(DimensionName(request.name)));
        return Described<DescribeDimensionResponse>(dimensions, dimension);
      });
  router.Handle<ListDimensions>(
      [&dimensions](auto& context, auto& request) { return List(dimensions, context, request); });
  router.Handle<UpdateDimension>(
      [&dimensions](auto& context, const UpdateDimensionRequest& request) -> Result<UpdateDimensionResponse> {
        FW_ASSIGN(auto dimension, dimensions.Update(ActorOf(context), DimensionName(request.name), request.string_values));
        return Described<UpdateDimensionResponse>(dimensions, dimension);
      });
  router.Handle<DeleteDimension>(
      [&dimensions](auto& context, const DeleteDimensionRequest& request) -> Result<DeleteDimensionResponse> {
        FW_TRY(dimensions.Delete(ActorOf(context), DimensionName(request.name)));
        return DeleteDimensionResponse{};
      });
}

}  // namespace fleetward::api
