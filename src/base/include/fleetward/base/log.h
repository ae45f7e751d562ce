// Structured logging: an event name and key-value fields, one line each. Secrets are never passed here.
#pragma once

#include <atomic>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace fleetward::log {

enum class Level : int { kDebug, kInfo, kWarning, kError };

/// A field's value: text or a number. Text is quoted when it holds spaces, quotes or control characters.
struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <class T>
    requires std::integral<T> || std::floating_point<T>
  Field(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
};

/// Where lines go; the default writes to standard error. Set once at start, before threads exist.
using Sink = std::function<void(Level, std::string_view line)>;
void SetSink(Sink sink);
void SetLevel(Level level);
bool Enabled(Level level);

void Write(Level level, std::string_view event, std::initializer_list<Field> fields);

inline void Debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (Enabled(Level::kDebug)) Write(Level::kDebug, event, fields);
}
inline void Info(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (Enabled(Level::kInfo)) Write(Level::kInfo, event, fields);
}
inline void Warning(std::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kWarning, event, fields);
}
inline void Error(std::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kError, event, fields);
}

}  // namespace fleetward::log
