#include "fleetward/detect/score_filter.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "fleetward/detect/ml.h"

namespace fleetward::detect {
namespace {

constexpr std::int64_t kDefaultStep = 300, kLastSecond = 253402300799;  // the end of year 9999

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::optional<int> Digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (!IsDigit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

std::optional<std::int64_t> ParseTime(std::string_view text) {
  if (text.size() == 20 && text.back() == 'Z') text.remove_suffix(1);
  if (text.size() == 19 && text[4] == '-') {
    if (text[7] != '-' || (text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':')
      return std::nullopt;
    auto year = Digits(text, 0, 4), month = Digits(text, 5, 2), day = Digits(text, 8, 2);
    auto hour = Digits(text, 11, 2), minute = Digits(text, 14, 2), second = Digits(text, 17, 2);
    if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
    std::chrono::year_month_day date{std::chrono::year(*year),
                                     std::chrono::month(static_cast<unsigned>(*month)),
                                     std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok() || *year < 1970 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    return std::int64_t{std::chrono::sys_days(date).time_since_epoch().count()} * 86400 + *hour * 3600 +
           *minute * 60 + *second;
  }
  double seconds = 0;
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(seconds >= 0 && seconds <= static_cast<double>(kLastSecond))) return std::nullopt;
  return static_cast<std::int64_t>(seconds);
}

std::optional<double> ParseValue(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  // Too small: 0. Too large: infinite, which scores 0 and is not learned.
  if (fault == std::errc::result_out_of_range) return std::strtod(std::string(text).c_str(), nullptr);
  return fault == std::errc() ? std::optional(value) : std::nullopt;
}

/// Names where a row has a time and a number.
bool IsHeader(std::string_view line) {
  std::size_t comma = line.rfind(',');
  return comma != std::string_view::npos && !IsDigit(line[0]) && comma + 1 < line.size() &&
         !ParseValue(line.substr(comma + 1));
}

std::string_view KindOf(std::string_view device) { return device.substr(0, device.rfind('-')); }

struct Cohort {
  ml::CohortWindow open;
  ml::CohortState state;
};

struct Entry {
  ml::Series series;
  std::int64_t last_s = -1, step_s = 0;
  Cohort* cohort = nullptr;
};

}  // namespace

class ScoreFilter::Impl {
 public:
  explicit Impl(const Options& options) : options_(options) {}

  Status Line(std::string_view line, std::string& out) {
    ++number_;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.size() > kMaxLine) return Fault("longer than " + std::to_string(kMaxLine) + " bytes");
    if (number_ == 1 && line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
    if (number_ == 1 && IsHeader(line)) {
      out += options_.fleet ? "timestamp,device,metric,score\n" : "timestamp,score\n";
      return {};
    }
    const std::size_t wanted = options_.fleet ? 4 : 2;
    std::string_view fields[4];
    std::size_t count = 0, from = 0;
    for (;;) {
      std::size_t comma = line.find(',', from);
      if (count == wanted || (comma == std::string_view::npos) != (count + 1 == wanted)) {
        return Fault(options_.fleet ? "not timestamp,device,metric,value" : "not timestamp,value");
      }
      fields[count++] = line.substr(from, comma - from);
      if (comma == std::string_view::npos) break;
      from = comma + 1;
    }
    auto time = ParseTime(fields[0]);
    if (!time) return Fault("the timestamp is neither YYYY-MM-DD HH:MM:SS nor seconds since 1970");
    if (*time < last_s_) return Fault("the timestamp lies before that of the row above");
    std::optional<double> value;
    if (!fields[wanted - 1].empty()) {
      value = ParseValue(fields[wanted - 1]);
      if (!value) return Fault("the value is not a number");
    }
    if (options_.fleet && (fields[1].empty() || fields[2].empty())) return Fault("device or metric is empty");
    FW_ASSIGN(Entry * entry, Find(fields[1], fields[2]));
    if (*time > last_s_) CloseWindows();
    last_s_ = *time;
    double score = value ? Score(*entry, *time, *value) : 0;
    out += line.substr(0, static_cast<std::size_t>(fields[wanted - 1].data() - line.data()));
    char text[32];
    out.append(text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.8g\n", score)));
    return {};
  }

 private:
  Error Fault(std::string what) const {
    return Error(Code::kInvalidArgument, "line " + std::to_string(number_) + ": " + std::move(what));
  }

  Result<Entry*> Find(std::string_view device, std::string_view metric) {
    if (!options_.fleet) return &single_;
    key_.assign(device);
    key_ += ',';
    key_ += metric;
    auto found = entries_.find(key_);
    if (found != entries_.end()) return found->second.get();
    if (entries_.size() >= options_.max_series) {
      return Fault("more than " + std::to_string(options_.max_series) + " series");
    }
    std::string cohort(KindOf(device));
    cohort += ',';
    cohort += metric;
    auto entry = std::make_unique<Entry>();
    entry->cohort = &cohorts_[cohort];
    return entries_.emplace(key_, std::move(entry)).first->second.get();
  }

  double Score(Entry& entry, std::int64_t time_s, double value) {
    std::int64_t elapsed = time_s - entry.last_s;
    if (entry.last_s >= 0 && elapsed > 0 && (entry.step_s == 0 || elapsed < entry.step_s))
      entry.step_s = elapsed;
    entry.last_s = time_s;
    std::int64_t step = options_.step_s > 0 ? options_.step_s
                        : entry.step_s > 0  ? entry.step_s
                                            : kDefaultStep;
    const ml::CohortState* peers = entry.cohort != nullptr ? &entry.cohort->state : nullptr;
    ml::Verdict verdict = ml::Update(entry.series, time_s, value, step, ml::Alarm::kNone, peers);
    if (entry.cohort != nullptr) {
      if (entry.cohort->open.members == 0) open_.push_back(entry.cohort);
      entry.cohort->open.Add(entry.series);
    }
    return static_cast<double>(verdict.score);
  }

  // A window is all rows of one timestamp.
  void CloseWindows() {
    for (Cohort* cohort : open_) {
      cohort->state.Close(cohort->open, last_s_);
      cohort->open = {};
    }
    open_.clear();
  }

  const Options options_;
  std::uint64_t number_ = 0;
  std::int64_t last_s_ = 0;
  Entry single_;
  std::string key_;
  std::unordered_map<std::string, std::unique_ptr<Entry>> entries_;
  std::map<std::string, Cohort> cohorts_;
  std::vector<Cohort*> open_;
};

ScoreFilter::ScoreFilter(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
ScoreFilter::~ScoreFilter() = default;
Status ScoreFilter::Line(std::string_view line, std::string& out) { return impl_->Line(line, out); }

}  // namespace fleetward::detect
