#include "families.h"
#include "fleetward/api/iot/account.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::Registry;

Result<ListTagsForResourceResponse> List(Registry& registry, const CallContext& context,
                                         const ListTagsForResourceRequest& request) {
  // A resource carries at most a page of them; the token is read so that a wrong one is refused.
  FW_ASSIGN(auto page, PageOf(context, request.next_token, std::nullopt, request.resource_arn));
  FW_ASSIGN(auto tags, registry.tags.List(request.resource_arn));
  ListTagsForResourceResponse response;
  response.tags.emplace();
  for (auto& [key, value] : tags) response.tags->push_back({key, std::move(value)});
  return response;
}

}  // namespace

void RegisterTags(Router& router, Registry& registry) {
  router.Handle<TagResource>(
      [&](const CallContext& context, const TagResourceRequest& request) -> Result<TagResourceResponse> {
        FW_ASSIGN(auto tags, TagsOf(request.tags));
        FW_TRY(registry.tags.Put(ActorOf(context), request.resource_arn, tags));
        return TagResourceResponse{};
      });
  router.Handle<UntagResource>(
      [&](const CallContext& context, const UntagResourceRequest& request) -> Result<UntagResourceResponse> {
        FW_TRY(registry.tags.Remove(ActorOf(context), request.resource_arn, request.tag_keys));
        return UntagResourceResponse{};
      });
  router.Handle<ListTagsForResource>([&](auto& context, auto& request) { return List(registry, context, request); });
}

}  // namespace fleetward::api
