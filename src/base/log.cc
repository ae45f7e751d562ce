#include "fleetward/base/log.h"

#include <unistd.h>

#include <utility>

namespace fleetward::log {
namespace {

std::atomic<int> g_level{static_cast<int>(Level::kInfo)};

Sink& CurrentSink() {
  static Sink sink;
  return sink;
}

const char* LevelName(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
  }
  return "?";
}

// Control characters never reach the log raw: a thing name must not forge a line (threats.md w).
void AppendValue(std::string& line, std::string_view value) {
  bool plain = !value.empty();
  for (unsigned char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) plain = false;
  }
  if (plain) {
    line.append(value);
    return;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  line += '"';
  for (unsigned char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += static_cast<char>(c);
    } else if (c < ' ' || c == 0x7f) {
      line += "\\x";
      line += kHex[c >> 4];
      line += kHex[c & 15];
    } else {
      line += static_cast<char>(c);
    }
  }
  line += '"';
}

}  // namespace

void SetSink(Sink sink) { CurrentSink() = std::move(sink); }
void SetLevel(Level level) { g_level = static_cast<int>(level); }
bool Enabled(Level level) { return static_cast<int>(level) >= g_level.load(std::memory_order_relaxed); }

void Write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (!Enabled(level)) return;
  std::string line(LevelName(level));
  line += ' ';
  line.append(event);
  for (const Field& field : fields) {
    line += ' ';
    line.append(field.key);
    line += '=';
    AppendValue(line, field.value);
  }
  if (CurrentSink()) {
    CurrentSink()(level, line);
    return;
  }
  line += '\n';
  [[maybe_unused]] ssize_t ignored = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace fleetward::log
