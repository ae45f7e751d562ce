// What the edge loop hands to the shards: records that are durable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/store/event_log.h"

namespace fleetward::ingest {

/// Durable log records of one group commit.
struct LogBatch {
  store::LogPosition first = 1;
  std::string bytes;
  std::vector<std::uint32_t> ends;

  void Add(std::string_view record) {
    bytes.append(record);
    ends.push_back(static_cast<std::uint32_t>(bytes.size()));
  }
  std::size_t size() const { return ends.size(); }
  std::string_view Record(std::size_t i) const {
    std::uint32_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(bytes).substr(begin, ends[i] - begin);
  }
};

}  // namespace fleetward::ingest
