#include "fleetward/registry/role_aliases.h"

#include "access.h"
#include "fleetward/registry/names.h"
#include "lookup.h"
#include "record_form.h"

namespace fleetward::registry {
namespace {

std::string Encode(const RoleAlias& alias) {
  std::string record;
  RecordWriter out(record);
  out.Bytes(alias.role_arn);
  out.SignedVarint(alias.credential_seconds);
  out.Time(alias.created);
  out.Time(alias.modified);
  return record;
}

Result<RoleAlias> Decode(std::string_view name, std::string_view record) {
  RecordReader in(record);
  RoleAlias alias;
  alias.name = name;
  alias.role_arn = in.Text();
  alias.credential_seconds = static_cast<std::int32_t>(in.SignedVarint());
  alias.created = in.Time();
  alias.modified = in.Time();
  return in.Finish(std::move(alias), "role alias");
}

Result<std::optional<RoleAlias>> FindAlias(ConstReader reader, std::string_view name) {
  return Find<RoleAlias>(reader, kRoleAliases, name, [&](std::string_view row) { return Decode(name, row); });
}

Result<RoleAlias> GetAlias(ConstReader reader, std::string_view name) {
  return OrNotFound(FindAlias(reader, name), "role alias", name);
}

std::string ResourceOf(std::string_view name) { return "rolealias/" + std::string(name); }

}  // namespace

Result<RoleAlias> RoleAliases::Create(std::string_view actor, const NewRoleAlias& request) {
  FW_TRY(CheckRoleArn(request.role_arn));
  Timestamp now = context_.clock.Now();
  RoleAlias alias{request.name, request.role_arn, request.credential_seconds.value_or(3600), now, now};
  return Apply<RoleAlias>(context_, actor, [&](Transaction& tx, ChangeSet&) -> Result<RoleAlias> {
    FW_ASSIGN(auto present, FindAlias(tx, alias.name));
    if (present) {
      bool same = present->role_arn == alias.role_arn && present->credential_seconds == alias.credential_seconds;
      if (same) return std::move(*present);
      return Error(Code::kAlreadyExists, "Role alias " + alias.name + " already exists with different properties")
          .WithField("resourceId", alias.name)
          .WithField("resourceArn", Arn(alias.name));
    }
    FW_TRY(CheckCount(tx, kRoleAliases, context_.quotas.role_aliases, "role aliases"));
    FW_TRY(tx.Put(kRoleAliases, alias.name, Encode(alias)));
    FW_TRY(PutTags(tx, ResourceOf(alias.name), request.tags, context_.quotas));
    return alias;
  });
}

Result<RoleAlias> RoleAliases::Describe(std::string_view name) const {
  return store::ReadFor<RoleAlias>(context_.store, [&](ConstReader reader) { return GetAlias(reader, name); });
}

Result<Page<std::string>> RoleAliases::List(const PageRequest& page) const {
  return store::ReadFor<Page<std::string>>(context_.store, [&](ConstReader reader) {
    return PageOf<std::string>(reader, kRoleAliases, "", "", page,
                               [](std::string_view key, std::string_view) -> Result<std::optional<std::string>> {
                                 return std::optional<std::string>(key);
                               });
  });
}

Result<RoleAlias> RoleAliases::Update(std::string_view actor, std::string_view name,
                                      const std::optional<std::string>& role_arn,
                                      std::optional<std::int32_t> credential_seconds) {
  if (role_arn) FW_TRY(CheckRoleArn(*role_arn));
  return Apply<RoleAlias>(context_, actor, [&](Transaction& tx, ChangeSet&) -> Result<RoleAlias> {
    FW_ASSIGN(RoleAlias alias, GetAlias(tx, name));
    if (role_arn) alias.role_arn = *role_arn;
    if (credential_seconds) alias.credential_seconds = *credential_seconds;
    alias.modified = context_.clock.Now();
    FW_TRY(tx.Put(kRoleAliases, name, Encode(alias)));
    return alias;
  });
}

Status RoleAliases::Delete(std::string_view actor, std::string_view name) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet&) -> Status {
    FW_ASSIGN(RoleAlias alias, GetAlias(tx, name));
    FW_TRY(tx.Erase(kRoleAliases, alias.name));
    return EraseTags(tx, ResourceOf(alias.name));
  });
}

}  // namespace fleetward::registry
