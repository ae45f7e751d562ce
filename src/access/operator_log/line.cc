#include <nlohmann/json.hpp>

#include "fleetward/access/operator_log.h"

namespace fleetward::access {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMaxText = 512;  // of one member: what callers send must not fill the disk

std::string Bounded(const std::string& text) { return text.size() <= kMaxText ? text : text.substr(0, kMaxText) + "..."; }

// Of Iso8601's one form, "2026-11-22T12:00:00.123Z".
std::optional<Timestamp> ParseTime(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, millis = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &year, &month, &day, &hour, &minute, &second, &millis) != 7) {
    return std::nullopt;
  }
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + Millis(millis);
}

}  // namespace

std::string OperatorActionLine(const OperatorAction& a) {
  ordered_json j = {{"seq", a.sequence}, {"time", Iso8601(a.time)}, {"key", Bounded(a.access_key_id)}, {"role", a.role},
                    {"from", Bounded(a.remote_address)}, {"operation", Bounded(a.operation)}, {"target", Bounded(a.target)},
                    {"status", a.status}, {"exception", a.exception}, {"request", a.request_id}};
  return j.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Result<OperatorAction> ParseOperatorActionLine(std::string_view line) {
  ordered_json j = ordered_json::parse(line, nullptr, false);
  Error corrupt(Code::kCorrupt, "a line of the operator log cannot be read");
  if (!j.is_object()) return corrupt;
  for (const char* text : {"time", "key", "role", "from", "operation", "target", "exception", "request"}) {
    if (!j.contains(text) || !j[text].is_string()) return corrupt;
  }
  if (!j.contains("seq") || !j["seq"].is_number_unsigned() || !j.contains("status") || !j["status"].is_number_integer()) {
    return corrupt;
  }
  auto time = ParseTime(j["time"].get<std::string>());
  if (!time) return corrupt;
  return OperatorAction{j["seq"].get<std::uint64_t>(), *time, j["key"], j["role"], j["from"], j["operation"], j["target"],
                        j["status"].get<int>(), j["exception"], j["request"]};
}

}  // namespace fleetward::access
