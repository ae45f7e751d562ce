// `fleetward detect score`: rows of CSV in, each with an anomaly score out. Pure; line by line.
//
//   plain   timestamp,value                 ->  timestamp,score
//   fleet   timestamp,device,metric,value   ->  timestamp,device,metric,score
//
// A first line that does not start with a digit is a header. Timestamps are `YYYY-MM-DD HH:MM:SS` (or with T,
// and a Z at the end), UTC, or seconds since 1970; they never go back. An empty value is a gap and scores 0.
// Fields are not quoted. In fleet mode a device's kind is its name before the last '-'; devices of a kind are
// the cohort of each metric.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::detect {

class ScoreFilter {
 public:
  struct Options {
    bool fleet = false;
    std::int64_t step_s = 0;             // between values of a series; 0: the shortest seen so far
    std::size_t max_series = 1'000'000;  // of a kilobyte each
  };
  static constexpr std::size_t kMaxLine = 4096;

  explicit ScoreFilter(const Options& options);
  ~ScoreFilter();
  ScoreFilter(const ScoreFilter&) = delete;
  ScoreFilter& operator=(const ScoreFilter&) = delete;

  /// Appends the answer, with its line's end, to `out`. kInvalidArgument with the line's number.
  Status Line(std::string_view line, std::string& out);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fleetward::detect
