// What an Input holds; private, so that the JSON library stays out of the generated headers.
#pragma once

#include <nlohmann/json.hpp>

#include "fleetward/api/codec/value.h"

namespace fleetward::api::codec {

struct Input::State {
  const RequestParts* parts = nullptr;
  std::string_view document;
  nlohmann::json tree;
  bool form = false;
  bool parsed = false;
};

}  // namespace fleetward::api::codec
