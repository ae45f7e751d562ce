// Counter records in portions of one frame, bounded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleetward/report/frames.h"

namespace fleetward::plugin {

class RecordBatches {
 public:
  struct Batch {
    std::string records;
    std::uint32_t count = 0;
  };
  static constexpr std::size_t kBatchBytes = 48 * 1024;
  static constexpr std::size_t kMaxBatches = 256;

  /// False when full: the record is lost.
  bool Add(const report::CounterRecord& record) {
    if (batches_.empty() || batches_.back().records.size() >= kBatchBytes) {
      if (batches_.size() >= kMaxBatches) return false;
      batches_.emplace_back();
    }
    report::AppendCounter(record, batches_.back().records);
    ++batches_.back().count;
    ++count_;
    return true;
  }
  const std::vector<Batch>& batches() const { return batches_; }
  std::uint64_t count() const { return count_; }
  void Clear() {
    batches_.clear();
    count_ = 0;
  }

 private:
  std::vector<Batch> batches_;
  std::uint64_t count_ = 0;
};

}  // namespace fleetward::plugin
