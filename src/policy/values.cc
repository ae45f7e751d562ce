#include "values.h"

#include <charconv>
#include <chrono>
#include <cmath>

namespace fleetward::policy {
namespace {

/// Takes exactly `digits` digits and, unless it is 0, `then` after them.
std::optional<int> Take(std::string_view& text, std::size_t digits, char then = 0) {
  if (text.size() < digits + (then != 0 ? 1 : 0)) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  if (then != 0 && text[digits] != then) return std::nullopt;
  text.remove_prefix(digits + (then != 0 ? 1 : 0));
  return value;
}

/// "Z", "+01:00" or nothing: minutes east of UTC.
std::optional<int> TakeZone(std::string_view& text) {
  if (text.empty()) return 0;
  char sign = text.front();
  text.remove_prefix(1);
  if (sign == 'Z') return 0;
  if (sign != '+' && sign != '-') return std::nullopt;
  auto hours = Take(text, 2, ':');
  auto minutes = hours ? Take(text, 2) : std::nullopt;
  if (!minutes || *hours > 14 || *minutes > 59) return std::nullopt;
  int offset = *hours * 60 + *minutes;
  return sign == '+' ? offset : -offset;
}

/// ".123": milliseconds; further digits are cut.
std::optional<int> TakeFraction(std::string_view& text) {
  if (text.empty() || text.front() != '.') return 0;
  text.remove_prefix(1);
  int millis = 0;
  std::size_t digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (digits < 3) millis = millis * 10 + (text.front() - '0');
    ++digits;
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  for (; digits < 3; ++digits) millis *= 10;
  return millis;
}

}  // namespace

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::int64_t> ParseDate(std::string_view text) {
  std::string_view rest = text;
  auto year = Take(rest, 4, '-');
  if (!year) {
    auto seconds = ParseNumber(text);
    if (!seconds || std::fabs(*seconds) > 1e12) return std::nullopt;
    return static_cast<std::int64_t>(*seconds * 1000);
  }
  auto month = Take(rest, 2, '-');
  auto day = month ? Take(rest, 2) : std::nullopt;
  if (!day) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                   std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  std::int64_t millis = std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400'000};
  if (rest.empty()) return millis;
  if (rest.front() != 'T') return std::nullopt;
  rest.remove_prefix(1);
  auto hour = Take(rest, 2, ':');
  auto minute = hour ? Take(rest, 2, ':') : std::nullopt;
  auto second = minute ? Take(rest, 2) : std::nullopt;
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  auto fraction = TakeFraction(rest);
  auto zone = fraction ? TakeZone(rest) : std::nullopt;
  if (!zone || !rest.empty()) return std::nullopt;
  return millis + ((*hour * 60 + *minute - *zone) * 60 + *second) * std::int64_t{1000} + *fraction;
}

}  // namespace fleetward::policy
