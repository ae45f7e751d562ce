#include "csv.h"

namespace fleetward::app {
Error CsvReader::Fault(std::string_view what) const {
  return Error(Code::kInvalidArgument, "line " + std::to_string(line_) + ": " + std::string(what));
}

Status CsvReader::EndRow() {
  Status done;
  if (any_) {
    fields_.push_back(std::move(field_));
    done = row_(fields_, row_line_);
  }
  fields_.clear();
  field_.clear();
  any_ = false;
  row_bytes_ = 0;
  state_ = State::kFieldStart;
  row_line_ = line_;
  return done;
}

Status CsvReader::Take(char c) {
  if (state_ == State::kCarriageReturn && c != '\n') return Fault("a carriage return inside of a row");
  if (++row_bytes_ > kMaxCsvRowBytes) return Fault("the row is too long");
  if (c == '\n') ++line_;
  if (state_ == State::kQuoted) {
    if (c == '"') {
      state_ = State::kQuoteInQuoted;
    } else {
      field_ += c;
    }
    return {};
  }
  if (state_ == State::kQuoteInQuoted && c == '"') {
    field_ += c;
    state_ = State::kQuoted;
    return {};
  }
  if (c == '\n') return EndRow();
  if (c == '\r') {
    state_ = State::kCarriageReturn;
    return {};
  }
  any_ = true;
  if (c == ',') {
    fields_.push_back(std::move(field_));
    field_.clear();
    state_ = State::kFieldStart;
    return {};
  }
  if (state_ == State::kQuoteInQuoted) return Fault("text behind a closing quote");
  if (c == '"') {
    if (state_ != State::kFieldStart) return Fault("a quote inside of a field that is not quoted");
    state_ = State::kQuoted;
    return {};
  }
  state_ = State::kPlain;
  field_ += c;
  return {};
}

Status CsvReader::Feed(std::string_view piece) {
  for (char c : piece) FW_TRY(Take(c));
  return {};
}

Status CsvReader::Finish() {
  if (state_ == State::kQuoted) return Fault("a quote is open at the end of the file");
  return EndRow();
}

}  // namespace fleetward::app
