// What is counted of one client since its last record (detect.md §2, D41).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fleetward/report/frames.h"

namespace fleetward::plugin {

/// One message more, of `bytes`.
template <class Numbers>
void AddMessage(Numbers& numbers, std::uint64_t bytes) {
  if (numbers.messages_sent == 0 || bytes < numbers.min_payload) numbers.min_payload = bytes;
  ++numbers.messages_sent;
  numbers.bytes_sent += bytes;
  if (bytes > numbers.max_payload) numbers.max_payload = bytes;
}

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

  void AddSent(std::uint64_t bytes) { AddMessage(*this, bytes); }
};

/// The record of `counts` in a frame.
report::CounterRecord RecordOf(const Counts& counts, std::string_view client_id, std::string_view fingerprint,
                               std::string_view source_ip, bool connected);

}  // namespace fleetward::plugin
