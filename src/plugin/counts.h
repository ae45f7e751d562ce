// What is counted of one client since its last record (detect.md §2, D41).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fleetward/report/frames.h"

namespace fleetward::plugin {

struct Counts {
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t max_payload = 0;
  std::uint64_t min_payload = 0;  // when anything was sent
  std::uint64_t messages_received = 0;
  std::uint64_t authorization_failures = 0;
  std::uint64_t connection_attempts = 0;
  std::uint64_t disconnects = 0;
  std::uint64_t messages_discarded = 0;

  void AddSent(std::uint64_t bytes) {
    if (messages_sent == 0 || bytes < min_payload) min_payload = bytes;
    ++messages_sent;
    bytes_sent += bytes;
    if (bytes > max_payload) max_payload = bytes;
  }
};

/// The record of `counts` in a frame.
report::CounterRecord RecordOf(const Counts& counts, std::string_view client_id, std::string_view fingerprint,
                               std::string_view source_ip, bool connected);

}  // namespace fleetward::plugin
