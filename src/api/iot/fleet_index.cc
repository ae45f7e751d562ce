#include "fleetward/registry/fleet_index.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "families.h"
#include "fleetward/api/handlers/fleet_index.h"
#include "fleetward/api/iot/groups.h"
#include "fleetward/api/iot/index.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::FleetIndex;
using registry::IndexField;
using registry::Registry;
using ::fleetward::index::Section;

constexpr std::int32_t kDefaultSearchPage = 100;
constexpr std::int32_t kDefaultBuckets = 10;
const std::vector<double> kDefaultPercents = {1, 5, 25, 50, 75, 95, 99};

std::string IndexOf(const std::optional<std::string>& name) {
  return name.value_or(std::string(registry::kThingsIndex));
}

Status CheckVersion(const std::optional<std::string>& version) {
  if (!version || *version == registry::kQueryVersion) return {};
  return Error(Code::kInvalidQuery, "queryVersion must be " + std::string(registry::kQueryVersion));
}

std::int32_t Int32(std::uint64_t count) {
  return static_cast<std::int32_t>(std::min<std::uint64_t>(count, std::numeric_limits<std::int32_t>::max()));
}

// ---- configuration ----

std::vector<Field> FieldsOf(const std::vector<IndexField>& fields) {
  std::vector<Field> out;
  for (const IndexField& field : fields) out.push_back({field.name, static_cast<FieldType>(field.type)});
  return out;
}

Result<std::vector<IndexField>> CustomFields(const std::optional<std::vector<Field>>& fields) {
  std::vector<IndexField> out;
  for (const Field& field : fields.value_or(std::vector<Field>{})) {
    if (!field.name || !field.type) {
      return Error(Code::kInvalidArgument, "A custom field needs a name and a type");
    }
    out.push_back({*field.name, static_cast<registry::FieldType>(*field.type)});
  }
  return out;
}

// Clients may send back what they were told; they cannot change it.
Status CheckManaged(const std::optional<std::vector<Field>>& given, const std::vector<IndexField>& managed) {
  for (const Field& field : given.value_or(std::vector<Field>{})) {
    bool known = std::any_of(managed.begin(), managed.end(), [&](const IndexField& m) {
      return m.name == TextOf(field.name) && (!field.type || static_cast<registry::FieldType>(*field.type) == m.type);
    });
    if (!known) {
      return Error(Code::kInvalidArgument, "managedFields cannot be changed: " + TextOf(field.name));
    }
  }
  return {};
}

Result<GetIndexingConfigurationResponse> GetConfiguration(const FleetIndex& fleet) {
  registry::ThingIndexing things = fleet.things();
  registry::ThingGroupIndexing groups = fleet.thing_groups();
  ThingIndexingConfiguration t;
  t.thing_indexing_mode = !things.on        ? ThingIndexingMode::kOff
                          : things.shadows ? ThingIndexingMode::kRegistryAndShadow
                                           : ThingIndexingMode::kRegistry;
  t.thing_connectivity_indexing_mode =
      things.connectivity ? ThingConnectivityIndexingMode::kStatus : ThingConnectivityIndexingMode::kOff;
  t.device_defender_indexing_mode =
      things.violations ? DeviceDefenderIndexingMode::kViolations : DeviceDefenderIndexingMode::kOff;
  t.named_shadow_indexing_mode = things.named_shadows ? NamedShadowIndexingMode::kOn : NamedShadowIndexingMode::kOff;
  if (things.on) {
    t.managed_fields = FieldsOf(ManagedFields(things));
    t.custom_fields = FieldsOf(things.custom_fields);
    if (!things.named_shadow_names.empty()) t.filter = IndexingFilter{std::move(things.named_shadow_names)};
  }
  ThingGroupIndexingConfiguration g;
  g.thing_group_indexing_mode = groups.on ? ThingGroupIndexingMode::kOn : ThingGroupIndexingMode::kOff;
  if (groups.on) {
    g.managed_fields = FieldsOf(ManagedFields(groups));
    g.custom_fields = FieldsOf(groups.custom_fields);
  }
  return GetIndexingConfigurationResponse{std::move(t), std::move(g)};
}

Result<UpdateIndexingConfigurationResponse> UpdateConfiguration(FleetIndex& fleet, const CallContext& context,
                                                                const UpdateIndexingConfigurationRequest& request) {
  std::optional<registry::ThingIndexing> things;
  if (const auto& t = request.thing_indexing_configuration) {
    things.emplace();
    things->on = t->thing_indexing_mode != ThingIndexingMode::kOff;
    things->shadows = t->thing_indexing_mode == ThingIndexingMode::kRegistryAndShadow;
    things->connectivity = t->thing_connectivity_indexing_mode == ThingConnectivityIndexingMode::kStatus;
    things->violations = t->device_defender_indexing_mode == DeviceDefenderIndexingMode::kViolations;
    things->named_shadows = t->named_shadow_indexing_mode == NamedShadowIndexingMode::kOn;
    if (t->filter) things->named_shadow_names = t->filter->named_shadow_names.value_or(std::vector<std::string>{});
    FW_ASSIGN(things->custom_fields, CustomFields(t->custom_fields));
    FW_TRY(CheckManaged(t->managed_fields, ManagedFields(*things)));
  }
  std::optional<registry::ThingGroupIndexing> groups;
  if (const auto& g = request.thing_group_indexing_configuration) {
    groups.emplace();
    groups->on = g->thing_group_indexing_mode == ThingGroupIndexingMode::kOn;
    FW_ASSIGN(groups->custom_fields, CustomFields(g->custom_fields));
    FW_TRY(CheckManaged(g->managed_fields, ManagedFields(*groups)));
  }
  FW_TRY(fleet.Configure(ActorOf(context), things, groups));
  return UpdateIndexingConfigurationResponse{};
}

std::string SchemaOf(const FleetIndex& fleet, std::string_view index) {
  if (index == registry::kThingGroupsIndex) return "THING_GROUPS";
  registry::ThingIndexing things = fleet.things();
  if (things.violations || things.named_shadows) return "MULTI_INDEXING_MODE";
  std::string schema = things.shadows ? "REGISTRY_AND_SHADOW" : "REGISTRY";
  return things.connectivity ? schema + "_AND_CONNECTIVITY_STATUS" : schema;
}

Result<DescribeIndexResponse> Describe(const FleetIndex& fleet, const DescribeIndexRequest& request) {
  FW_ASSIGN(registry::IndexState state, fleet.StateOf(request.index_name));
  if (state == registry::IndexState::kOff) {
    return Error(Code::kNotFound, "The specified resource does not exist: index " + request.index_name +
                                      " (it is off: UpdateIndexingConfiguration)");
  }
  return DescribeIndexResponse{request.index_name,
                               state == registry::IndexState::kActive ? IndexStatus::kActive : IndexStatus::kBuilding,
                               SchemaOf(fleet, request.index_name)};
}

Result<ListIndicesResponse> List(const FleetIndex& fleet, const CallContext& context,
                                 const ListIndicesRequest& request) {
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results));
  ListIndicesResponse response;
  response.index_names.emplace();
  for (std::string_view index : {registry::kThingGroupsIndex, registry::kThingsIndex}) {
    auto state = fleet.StateOf(index);
    if (!state.ok() || *state == registry::IndexState::kOff || (!page.after.empty() && index <= page.after)) continue;
    if (response.index_names->size() == page.limit) {
      response.next_token = NextToken(context, response.index_names->back());
      break;
    }
    response.index_names->emplace_back(index);
  }
  return response;
}

// ---- search ----

std::optional<ThingConnectivity> ConnectivityOf(const FleetIndex& fleet, const model::ThingName& name) {
  std::optional<ThingConnectivity> out;
  for (const auto& value : fleet.ValuesOf(name, Section::kConnectivity)) {
    if (!out) out.emplace();
    if (value.field == "connectivity.connected") out->connected = value.text == "true";
    if (value.field == "connectivity.timestamp") out->timestamp = std::strtoll(value.text.c_str(), nullptr, 10);
    if (value.field == "connectivity.disconnectReason") out->disconnect_reason = value.text;
  }
  return out;
}

// {"violationCount":1,"PROFILE":{"BEHAVIOR":{"inViolation":true,…}}}; names may hold no dot, so fields split at them.
std::optional<std::string> ViolationsOf(const FleetIndex& fleet, const model::ThingName& name) {
  nlohmann::json out;
  for (const auto& value : fleet.ValuesOf(name, Section::kViolations)) {
    nlohmann::json* at = &out;
    std::string_view rest = std::string_view(value.field).substr(value.field.find('.') + 1);
    for (std::size_t dot; (dot = rest.find('.')) != rest.npos; rest.remove_prefix(dot + 1)) {
      at = &(*at)[std::string(rest.substr(0, dot))];
    }
    auto number = ::fleetward::index::NumberOf(value.text);
    nlohmann::json& member = (*at)[std::string(rest)];
    if (value.text == "true") {
      member = true;
    } else if (!number) {
      member = value.text;
    } else if (*number == std::floor(*number) && std::abs(*number) < 1e15) {
      member = static_cast<std::int64_t>(*number);
    } else {
      member = *number;
    }
  }
  if (out.is_null()) return std::nullopt;
  return out.dump();
}

Result<SearchIndexResponse> SearchThings(const Registry& registry, const FleetIndex& fleet,
                                         const std::vector<std::string>& names) {
  SearchIndexResponse response;
  response.things.emplace();
  for (const std::string& text : names) {
    model::ThingName name(text);
    auto thing = registry.things.Describe(name);
    if (!thing.ok() && thing.error().code() == Code::kNotFound) continue;  // deleted a moment ago
    if (!thing.ok()) return std::move(thing).error();
    ThingDocument document;
    document.thing_name = text;
    document.thing_id = thing->id.Uuid();
    document.thing_type_name = UnlessEmpty(std::move(thing->type));
    if (!thing->attributes.empty()) document.attributes = std::move(thing->attributes);
    for (auto& value : fleet.ValuesOf(name, Section::kGroups)) {
      if (!document.thing_group_names) document.thing_group_names.emplace();
      document.thing_group_names->push_back(std::move(value.text));
    }
    document.connectivity = ConnectivityOf(fleet, name);
    document.device_defender = ViolationsOf(fleet, name);
    response.things->push_back(std::move(document));
  }
  return response;
}

Result<SearchIndexResponse> SearchGroups(const Registry& registry, const std::vector<std::string>& names) {
  SearchIndexResponse response;
  response.thing_groups.emplace();
  for (const std::string& name : names) {
    auto described = registry.thing_groups.Describe(model::ThingGroupName(name));
    if (!described.ok() && described.error().code() == Code::kNotFound) continue;
    if (!described.ok()) return std::move(described).error();
    ThingGroupDocument document;
    document.thing_group_name = name;
    document.thing_group_id = described->group.id.Uuid();
    document.thing_group_description = UnlessEmpty(std::move(described->group.description));
    if (!described->group.attributes.empty()) document.attributes = std::move(described->group.attributes);
    for (const auto& parent : described->root_to_parent) {
      if (!document.parent_group_names) document.parent_group_names.emplace();
      document.parent_group_names->push_back(parent.value());
    }
    response.thing_groups->push_back(std::move(document));
  }
  return response;
}

Result<SearchIndexResponse> Search(const Registry& registry, const FleetIndex& fleet, const CallContext& context,
                                   const SearchIndexRequest& request) {
  FW_TRY(CheckVersion(request.query_version));
  std::string index = IndexOf(request.index_name);
  std::string binding = index + '\0' + request.query_string;
  FW_ASSIGN(std::string after, context.ReadPageToken(request.next_token, binding));
  auto limit = static_cast<std::size_t>(request.max_results.value_or(kDefaultSearchPage));
  FW_ASSIGN(auto page, fleet.Search(index, request.query_string, after, limit));
  FW_ASSIGN(SearchIndexResponse response, index == registry::kThingsIndex ? SearchThings(registry, fleet, page.names)
                                                                          : SearchGroups(registry, page.names));
  response.next_token = NextToken(context, page.next, binding);
  return response;
}

// ---- aggregates ----

Result<GetStatisticsResponse> StatisticsFor(const FleetIndex& fleet, const GetStatisticsRequest& request) {
  FW_TRY(CheckVersion(request.query_version));
  FW_ASSIGN(auto answer, fleet.StatisticsOf(IndexOf(request.index_name), request.query_string,
                                            request.aggregation_field.value_or("registry.version")));
  const auto& [s, type] = answer;
  Statistics out;
  out.count = Int32(s.count);
  bool numbers = type != registry::FieldType::kString && s.count > 0 && std::isfinite(s.sum_of_squares);
  if (numbers) {
    out.average = s.sum / static_cast<double>(s.count);
    out.sum = s.sum;
    out.minimum = s.minimum;
    out.maximum = s.maximum;
    out.sum_of_squares = s.sum_of_squares;
    out.variance = s.variance;
    out.std_deviation = std::sqrt(s.variance);
  }
  return GetStatisticsResponse{out};
}

Result<GetCardinalityResponse> Cardinality(const FleetIndex& fleet, const GetCardinalityRequest& request) {
  FW_TRY(CheckVersion(request.query_version));
  FW_ASSIGN(std::uint64_t count, fleet.Cardinality(IndexOf(request.index_name), request.query_string,
                                                   request.aggregation_field.value_or("registry.version")));
  return GetCardinalityResponse{Int32(count)};
}

Result<GetPercentilesResponse> Percentiles(const FleetIndex& fleet, const GetPercentilesRequest& request) {
  FW_TRY(CheckVersion(request.query_version));
  FW_ASSIGN(auto values, fleet.Percentiles(IndexOf(request.index_name), request.query_string,
                                           request.aggregation_field.value_or("registry.version"),
                                           request.percents.value_or(kDefaultPercents)));
  GetPercentilesResponse response;
  response.percentiles.emplace();
  for (const auto& value : values) response.percentiles->push_back({value.percent, value.value});
  return response;
}

Result<GetBucketsAggregationResponse> BucketsOf(const FleetIndex& fleet, const GetBucketsAggregationRequest& request) {
  FW_TRY(CheckVersion(request.query_version));
  const auto& terms = request.buckets_aggregation_type.terms_aggregation;
  std::int32_t most = terms ? terms->max_buckets.value_or(kDefaultBuckets) : kDefaultBuckets;
  FW_ASSIGN(auto found, fleet.BucketsOf(IndexOf(request.index_name), request.query_string, request.aggregation_field,
                                        static_cast<std::size_t>(most)));
  GetBucketsAggregationResponse response;
  response.total_count = Int32(found.total);
  response.buckets.emplace();
  for (auto& term : found.terms) response.buckets->push_back({std::move(term.text), Int32(term.count)});
  return response;
}

// ---- dynamic thing groups ----

Status CheckIndex(const std::optional<std::string>& index) {
  if (!index || *index == registry::kThingsIndex) return {};
  return Error(Code::kInvalidArgument, "A dynamic thing group's indexName can only be AWS_Things");
}

Result<CreateDynamicThingGroupResponse> CreateDynamic(Registry& registry, const FleetIndex& fleet,
                                                      const CallContext& context,
                                                      const CreateDynamicThingGroupRequest& request) {
  FW_TRY(CheckIndex(request.index_name));
  FW_TRY(CheckVersion(request.query_version));
  FW_TRY(fleet.RequireThings());
  registry::NewDynamicThingGroup group;
  group.name = model::ThingGroupName(request.thing_group_name);
  group.query = request.query_string;
  if (request.thing_group_properties) {
    group.description = TextOf(request.thing_group_properties->thing_group_description);
    group.attributes = AttributesOf(request.thing_group_properties->attribute_payload);
  }
  FW_ASSIGN(group.tags, TagsOf(request.tags));
  FW_ASSIGN(registry::ThingGroup created, registry.dynamic_thing_groups.Create(ActorOf(context), group));
  return CreateDynamicThingGroupResponse{request.thing_group_name,
                                         context.arns.ThingGroup(request.thing_group_name),
                                         created.id.Uuid(),
                                         std::string(registry::kThingsIndex),
                                         request.query_string,
                                         std::string(registry::kQueryVersion)};
}

Result<UpdateDynamicThingGroupResponse> UpdateDynamic(Registry& registry, const CallContext& context,
                                                      const UpdateDynamicThingGroupRequest& request) {
  FW_TRY(CheckIndex(request.index_name));
  FW_TRY(CheckVersion(request.query_version));
  registry::ThingGroupUpdate update;
  update.description = request.thing_group_properties.thing_group_description;
  if (const auto& payload = request.thing_group_properties.attribute_payload; payload && payload->attributes) {
    update.attributes = *payload->attributes;
    update.merge = payload->merge.value_or(false);
  }
  update.expected_version = request.expected_version;
  FW_ASSIGN(std::int64_t version,
            registry.dynamic_thing_groups.Update(ActorOf(context), model::ThingGroupName(request.thing_group_name),
                                                 update, request.query_string));
  return UpdateDynamicThingGroupResponse{version};
}

Result<DeleteDynamicThingGroupResponse> DeleteDynamic(Registry& registry, const CallContext& context,
                                                      const DeleteDynamicThingGroupRequest& request) {
  FW_TRY(registry.dynamic_thing_groups.Delete(ActorOf(context), model::ThingGroupName(request.thing_group_name),
                                              request.expected_version));
  return DeleteDynamicThingGroupResponse{};
}

}  // namespace

void RegisterFleetIndexHandlers(Router& router, Registry& registry, FleetIndex& fleet) {
  router.Handle<GetIndexingConfiguration>(
      [&](const CallContext&, const GetIndexingConfigurationRequest&) { return GetConfiguration(fleet); });
  router.Handle<UpdateIndexingConfiguration>(
      [&](const CallContext& context, const UpdateIndexingConfigurationRequest& request) {
        return UpdateConfiguration(fleet, context, request);
      });
  router.Handle<DescribeIndex>(
      [&](const CallContext&, const DescribeIndexRequest& request) { return Describe(fleet, request); });
  router.Handle<ListIndices>([&](const CallContext& context, const ListIndicesRequest& request) {
    return List(fleet, context, request);
  });
  router.Handle<SearchIndex>([&](const CallContext& context, const SearchIndexRequest& request) {
    return Search(registry, fleet, context, request);
  });
  router.Handle<GetStatistics>(
      [&](const CallContext&, const GetStatisticsRequest& request) { return StatisticsFor(fleet, request); });
  router.Handle<GetCardinality>(
      [&](const CallContext&, const GetCardinalityRequest& request) { return Cardinality(fleet, request); });
  router.Handle<GetPercentiles>(
      [&](const CallContext&, const GetPercentilesRequest& request) { return Percentiles(fleet, request); });
  router.Handle<GetBucketsAggregation>(
      [&](const CallContext&, const GetBucketsAggregationRequest& request) { return BucketsOf(fleet, request); });
  router.Handle<CreateDynamicThingGroup>([&](const CallContext& context, const CreateDynamicThingGroupRequest& request) {
    return CreateDynamic(registry, fleet, context, request);
  });
  router.Handle<UpdateDynamicThingGroup>([&](const CallContext& context, const UpdateDynamicThingGroupRequest& request) {
    return UpdateDynamic(registry, context, request);
  });
  router.Handle<DeleteDynamicThingGroup>([&](const CallContext& context, const DeleteDynamicThingGroupRequest& request) {
    return DeleteDynamic(registry, context, request);
  });
  // A query may look at a million names: not on all threads at once.
  router.LimitConcurrency<SearchIndex>(2, 16);
  router.LimitConcurrency<GetStatistics>(1, 8);
  router.LimitConcurrency<GetCardinality>(1, 8);
  router.LimitConcurrency<GetPercentiles>(1, 8);
  router.LimitConcurrency<GetBucketsAggregation>(1, 8);
}

}  // namespace fleetward::api
