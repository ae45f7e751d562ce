#include "families.h"
#include "fleetward/api/iot/account.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::Registry;

Result<CreateRoleAliasResponse> Create(Registry& registry, const CallContext& context,
                                       const CreateRoleAliasRequest& request) {
  registry::NewRoleAlias alias{.name = request.role_alias, .role_arn = request.role_arn};
  alias.credential_seconds = request.credential_duration_seconds;
  FW_ASSIGN(alias.tags, TagsOf(request.tags));
  FW_ASSIGN(auto created, registry.role_aliases.Create(ActorOf(context), alias));
  return CreateRoleAliasResponse{created.name, registry.role_aliases.Arn(created.name)};
}

Result<DescribeRoleAliasResponse> Describe(Registry& registry, const CallContext& context,
                                           const DescribeRoleAliasRequest& request) {
  FW_ASSIGN(auto alias, registry.role_aliases.Describe(request.role_alias));
  RoleAliasDescription description;
  description.role_alias = alias.name;
  description.role_alias_arn = registry.role_aliases.Arn(alias.name);
  description.role_arn = alias.role_arn;
  description.owner = context.account();
  description.credential_duration_seconds = alias.credential_seconds;
  description.creation_date = alias.created;
  description.last_modified_date = alias.modified;
  return DescribeRoleAliasResponse{std::move(description)};
}

Result<ListRoleAliasesResponse> List(Registry& registry, const CallContext& context,
                                     const ListRoleAliasesRequest& request) {
  bool ascending = request.ascending_order.value_or(false);
  std::string_view binding = ascending ? "up" : "down";
  FW_ASSIGN(auto page, PageOf(context, request.marker, request.page_size, binding));
  page.descending = !ascending;
  FW_ASSIGN(auto names, registry.role_aliases.List(page));
  return ListRoleAliasesResponse{std::move(names.items), NextToken(context, names.next, binding)};
}

}  // namespace

void RegisterRoleAliases(Router& router, Registry& registry) {
  router.Handle<CreateRoleAlias>([&](auto& context, auto& request) { return Create(registry, context, request); });
  router.Handle<DescribeRoleAlias>([&](auto& context, auto& request) {
    return Describe(registry, context, request);
  });
  router.Handle<ListRoleAliases>([&](auto& context, auto& request) { return List(registry, context, request); });
  router.Handle<UpdateRoleAlias>(
      [&](const CallContext& context, const UpdateRoleAliasRequest& request) -> Result<UpdateRoleAliasResponse> {
        FW_ASSIGN(auto updated, registry.role_aliases.Update(ActorOf(context), request.role_alias, request.role_arn,
                                                             request.credential_duration_seconds));
        return UpdateRoleAliasResponse{updated.name, registry.role_aliases.Arn(updated.name)};
      });
  router.Handle<DeleteRoleAlias>(
      [&](const CallContext& context, const DeleteRoleAliasRequest& request) -> Result<DeleteRoleAliasResponse> {
        FW_TRY(registry.role_aliases.Delete(ActorOf(context), request.role_alias));
        return DeleteRoleAliasResponse{};
      });
}

}  // namespace fleetward::api
