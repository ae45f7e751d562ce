// Exported values on their way out: batched by topic, bounded in bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace fleetward::ingest {

struct ExportMessage {
  std::string topic;
  std::string payload;       // {"version":"1.0","metrics":[…]}
  std::uint64_t values = 0;
};

/// Not thread-safe. Times are a monotonic clock's milliseconds.
class ExportBatches {
 public:
  struct Limits {
    std::int64_t interval_ms = 60'000;        // a batch goes out this long after its first value
    std::size_t message_bytes = 96 << 10;     // or when it is this large
    std::size_t value_bytes = 130 << 10;      // a larger value is dropped: the broker takes no such packet
    std::size_t waiting_bytes = 8 << 20;      // of all topics: beyond, the oldest messages are dropped
  };
  explicit ExportBatches(Limits limits) : limits_(limits) {}

  /// How many values were dropped for it.
  std::uint64_t Add(const std::string& topic, std::string_view item, std::int64_t now_ms);
  /// The next message that is full or due; with `all`, any.
  std::optional<ExportMessage> Take(std::int64_t now_ms, bool all);
  /// A message that could not be sent is the next again.
  void GiveBack(ExportMessage message);
  bool empty() const { return ready_.empty() && open_.empty(); }
  std::size_t waiting_bytes() const { return waiting_; }

 private:
  struct Open {
    ExportMessage message;
    std::int64_t due_ms = 0;
  };
  void Close(std::map<std::string, Open>::iterator open);

  const Limits limits_;
  std::deque<ExportMessage> ready_;
  std::map<std::string, Open> open_;
  std::size_t waiting_ = 0;
};

}  // namespace fleetward::ingest
