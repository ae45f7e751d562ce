// The rows of an hour block that still grows, and the newest sample, which the next row is coded against: one piece of
// memory that holds both packed. Things are many and their open blocks most of what the server keeps of them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/id_table.h"
#include "fleetward/telemetry/sample.h"
#include "hour_block.h"

namespace fleetward::telemetry {

class OpenRows {
 public:
  /// What Append works with; one for many OpenRows.
  struct Scratch {
    Sample previous;
    std::vector<Sample::Field> schema;  // read last, and its bytes
    std::string schema_bytes;
    std::string row;
  };

  /// Codes the sample against the newest one, if there is any, and keeps it as the newest.
  void Append(const Sample& sample, Scratch& scratch);
  /// `rows` are those of a whole block, `newest` and `places` what holds for its last row.
  void Assign(std::string_view rows, const Sample& newest, const RowPlaces& places, Scratch& scratch);
  /// Gives the memory back.
  void Clear();

  bool empty() const { return rows_ == 0; }
  std::string_view rows() const { return {bytes_.get(), rows_}; }
  std::size_t HeapBytes() const { return capacity_; }
  void Prefetch() const { PrefetchBytes(bytes_.get(), std::size_t{rows_} + newest_); }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };

  /// `bytes` are a row of this size, then the newest sample packed.
  void Put(std::string_view bytes, std::size_t row);
  void Unpack(Scratch& scratch) const;

  std::unique_ptr<char, Free> bytes_;  // the rows, then the newest sample
  std::uint32_t rows_ = 0, newest_ = 0, capacity_ = 0;
  // Where in the rows the reporter and the schema of the newest sample stand: both seldom change.
  std::uint32_t reporter_at_ = kNone, schema_at_ = 0;
};

}  // namespace fleetward::telemetry
