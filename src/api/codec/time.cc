#include "fleetward/api/codec/time.h"

#include <charconv>
#include <chrono>
#include <cmath>

namespace fleetward::api::codec {
namespace {

constexpr double kLastSecond = 253402300799.0;  // 9999-12-31T23:59:59Z

/// Takes fixed-width digits and literal characters from the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  bool Digits(std::size_t width, int& out) {
    if (text_.size() < width) return false;
    auto [end, error] = std::from_chars(text_.data(), text_.data() + width, out);
    if (error != std::errc() || end != text_.data() + width || out < 0 || text_[0] == '-') return false;
    text_.remove_prefix(width);
    return true;
  }
  bool Take(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// ".123456": milliseconds, further digits dropped.
  bool Fraction(int& millis) {
    millis = 0;
    if (!Take('.')) return true;
    int scale = 100;
    std::size_t count = 0;
    for (; count < text_.size() && text_[count] >= '0' && text_[count] <= '9'; ++count, scale /= 10) {
      millis += (text_[count] - '0') * scale;
    }
    text_.remove_prefix(count);
    return count > 0 && count <= 9;
  }
  /// "Z", "+01:00" or nothing, as minutes.
  bool Offset(int& minutes) {
    minutes = 0;
    if (text_.empty() || Take('Z') || Take('z')) return true;
    int sign = Take('+') ? 1 : Take('-') ? -1 : 0;
    int hour = 0, minute = 0;
    if (sign == 0 || !Digits(2, hour)) return false;
    Take(':');
    if (!Digits(2, minute) || hour > 23 || minute > 59) return false;
    minutes = sign * (hour * 60 + minute);
    return true;
  }
  bool AtEnd() const { return text_.empty(); }

 private:
  std::string_view text_;
};

std::optional<Timestamp> ParseIso(std::string_view text) {
  Scanner in(text);
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, millis = 0, offset = 0;
  if (!in.Digits(4, year) || !in.Take('-') || !in.Digits(2, month) || !in.Take('-') || !in.Digits(2, day)) return {};
  if (!in.AtEnd()) {
    if (!in.Take('T') && !in.Take(' ')) return {};
    if (!in.Digits(2, hour) || !in.Take(':') || !in.Digits(2, minute)) return {};
    if (in.Take(':') && !in.Digits(2, second)) return {};
    if (!in.Fraction(millis) || !in.Offset(offset) || !in.AtEnd()) return {};
  }
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || year < 1970 || hour > 23 || minute > 59 || second > 60) return {};
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute - offset) + std::chrono::seconds(second) + Millis(millis);
}

}  // namespace

std::optional<Timestamp> FromEpochSeconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kLastSecond) return std::nullopt;
  return FromMillis(std::llround(seconds * 1000.0));
}

std::optional<Timestamp> ParseTime(std::string_view text) {
  double seconds = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed);
  if (error == std::errc() && end == text.data() + text.size()) return FromEpochSeconds(seconds);
  return ParseIso(text);
}

}  // namespace fleetward::api::codec
