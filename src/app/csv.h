// Comma separated values (RFC 4180): quoted fields may hold commas, quotes (doubled) and line ends.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::app {

inline constexpr std::size_t kMaxCsvRowBytes = 256 << 10;

/// Fed with pieces of a file, in order; gives whole rows. Empty lines are passed over.
class CsvReader {
 public:
  /// `line` is where the row began, from 1.
  using Row = std::function<Status(const std::vector<std::string>& fields, std::size_t line)>;

  explicit CsvReader(Row row) : row_(std::move(row)) {}

  /// Errors: kInvalidArgument (a quote inside of an unquoted field, text behind a closing quote, a row over
  /// kMaxCsvRowBytes), and the row function's own.
  Status Feed(std::string_view piece);
  /// The last row may lack its line end. Error: kInvalidArgument (an open quote).
  Status Finish();

 private:
  enum class State { kFieldStart, kPlain, kQuoted, kQuoteInQuoted, kCarriageReturn };
  Status Take(char c);
  Status EndRow();
  Error Fault(std::string_view what) const;

  Row row_;
  State state_ = State::kFieldStart;
  std::vector<std::string> fields_;
  std::string field_;
  bool any_ = false;         // the row has something
  std::size_t row_bytes_ = 0;
  std::size_t line_ = 1, row_line_ = 1;
};

}  // namespace fleetward::app
