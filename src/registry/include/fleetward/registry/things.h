// Things, thing types, and the certificates attached to things.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct NewThing {
  model::ThingName name{};
  std::string type{};
  std::string billing_group{};
  Attributes attributes{};
};

struct ThingUpdate {
  std::optional<Attributes> attributes{};
  bool merge = false;  // true: add to the present ones, an empty value removes; false: replace all
  std::optional<std::string> type{};
  bool remove_type = false;
  std::optional<std::int64_t> expected_version{};
};

/// At most one of attribute and type may be set.
struct ThingFilter {
  std::string type{};
  std::string attribute_name{};
  std::string attribute_value{};
  bool attribute_value_is_prefix = false;
};

/// Thread-safe; `actor` goes into the history. Messages follow core.md §2.
class Things {
 public:
  explicit Things(const Context& context) : context_(context) {}

  /// The same content again gives the existing thing. Errors: kAlreadyExists (other content; fields resourceId,
  /// resourceArn), kNotFound (type, billing group), kInvalidArgument (attributes, deprecated type).
  Result<Thing> Create(std::string_view actor, const NewThing& request);
  Result<Thing> Describe(const model::ThingName& name) const;
  /// By name.
  Result<Page<Thing>> List(const ThingFilter& filter, const PageRequest& page) const;
  /// Errors: kNotFound, kVersionConflict, kInvalidArgument.
  Status Update(std::string_view actor, const model::ThingName& name, const ThingUpdate& update);
  /// An unknown thing is no error. Errors: kVersionConflict, kInvalidArgument (principals are attached).
  Status Delete(std::string_view actor, const model::ThingName& name, std::optional<std::int64_t> expected_version);

  /// `principal` is a certificate's ARN. Repeating is no error. Errors: kNotFound, kInvalidArgument.
  Status AttachPrincipal(std::string_view actor, const model::ThingName& name, std::string_view principal);
  Status DetachPrincipal(std::string_view actor, const model::ThingName& name, std::string_view principal);
  /// ARNs, by certificate id.
  Result<Page<std::string>> ListPrincipals(const model::ThingName& name, const PageRequest& page) const;
  Result<Page<model::ThingName>> ListPrincipalThings(std::string_view principal, const PageRequest& page) const;

 private:
  const Context& context_;
};

struct NewThingType {
  std::string name{};
  std::string description{};
  std::vector<std::string> searchable_attributes{};
  Attributes tags{};
};

class ThingTypes {
 public:
  explicit ThingTypes(const Context& context) : context_(context) {}

  Result<ThingType> Create(std::string_view actor, const NewThingType& request);
  Result<ThingType> Describe(std::string_view name) const;
  /// By name; `name` limits the list to that type.
  Result<Page<ThingType>> List(std::string_view name, const PageRequest& page) const;
  Status Deprecate(std::string_view actor, std::string_view name, bool undo);
  /// Errors: kNotFound, kInvalidArgument (not deprecated, or not for long enough).
  Status Delete(std::string_view actor, std::string_view name);

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
