// Looking rows up and decoding them. Private.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "access.h"

namespace fleetward::registry {

/// What `decode(row)` makes of the row at `key`; nothing when there is none.
template <class T, class Decode>
Result<std::optional<T>> Find(ConstReader reader, const Table& table, std::string_view key, Decode&& decode) {
  FW_ASSIGN(auto row, reader.Get(table, key));
  if (!row) return std::optional<T>();
  FW_ASSIGN(T value, decode(*row));
  return std::optional<T>(std::move(value));
}

template <class T>
Result<T> OrNotFound(Result<std::optional<T>> found, std::string_view kind, std::string_view name) {
  if (!found.ok()) return std::move(found).error();
  if (!*found) return NotFound(kind, name);
  return std::move(**found);
}

}  // namespace fleetward::registry
