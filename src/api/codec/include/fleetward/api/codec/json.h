// Generated shapes to and from JSON text, for services that store or forward them (a Behavior, a policy target).
#pragma once

#include <string>
#include <string_view>

#include "fleetward/api/codec/value.h"
#include "fleetward/api/codec/writer.h"

namespace fleetward::api {

/// Compact JSON, members in the model's order, maps by key: equal values give equal text.
template <class Shape>
std::string ToJsonText(const Shape& value) {
  std::string out;
  codec::JsonWriter writer(out);
  Write(writer, value);
  return out;
}

/// Errors: kInvalidArgument naming the member that breaks the model's constraints.
template <class Shape>
Result<Shape> FromJsonText(std::string_view json) {
  codec::Input input = codec::Input::Document(json);
  Shape out;
  Read(input.Root(), out);
  FW_TRY(input.Finish());
  return out;
}

}  // namespace fleetward::api
