// Refused connections and requests as frames: some each second one by one, a flood summed up (threats.md g, k).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "fleetward/policy/snapshot_state.h"
#include "counts.h"
#include "record_batches.h"
#include "fleetward/report/frames.h"

namespace fleetward::plugin {

class Refusals {
 public:
  using Emit = std::function<void(const report::RefusedFrame&)>;
  static constexpr std::uint32_t kSinglesPerSecond = 100;
  static constexpr std::size_t kMaxSums = 256;
  static constexpr std::size_t kMaxClients = 1000;

  void Add(const report::RefusedFrame& frame, const Emit& emit);

  /// Counts a refused CONNECT for the client's metrics (D41): one attempt, one authorization failure, no disconnect.
  void CountRefusedConnect(std::string_view client_id, std::string_view fingerprint, std::string_view source_ip);

  /// Once a second: emits the sums and opens the next second.
  void Flush(std::int64_t event_time_ms, const Emit& emit);
  /// Moves a record for each client with refused CONNECTs to `records`.
  void TakeRecords(RecordBatches& records);

 private:
  struct Client {
    std::string client_id, fingerprint, source_ip;
    auto operator<=>(const Client&) const = default;
  };
  std::uint32_t singles_ = 0;
  std::map<std::pair<report::RefusalReason, std::string>, std::uint32_t> sums_;  // by reason and address
  std::map<Client, Counts> clients_;
};

}  // namespace fleetward::plugin
