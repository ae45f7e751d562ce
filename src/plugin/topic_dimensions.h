// Counts by topic (TOPIC_FILTER dimensions, detect.md §2): which of the watched dimensions a topic belongs to, and what
// was counted of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "counts.h"
#include "fleetward/policy/snapshot.h"

namespace fleetward::plugin {

/// The dimensions that profiles use, from the policies.
class TopicDimensions {
 public:
  using Mask = std::uint32_t;
  static constexpr std::size_t kMost = 32;  // further ones are not counted

  /// False when there are too many.
  bool Set(const std::vector<policy::DimensionEntry>& entries);
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  /// Grows with each Set: masks and counts of an older one are void.
  std::uint64_t generation() const { return generation_; }
  std::uint32_t in(std::size_t index) const { return entries_[index].in; }
  std::uint32_t not_in(std::size_t index) const { return entries_[index].not_in; }

  /// A bit for each dimension with a filter that matches. `topic`: of a message, or the text of a filter that was asked
  /// for.
  Mask MaskOf(std::string_view topic, std::string_view client_id) const;

 private:
  std::vector<policy::DimensionEntry> entries_;
  std::uint64_t generation_ = 0;
};

/// What one client did by series, since its last record. Lives only while there is something in it.
class TopicCounts {
 public:
  struct Numbers {
    std::uint64_t messages_sent = 0, bytes_sent = 0, max_payload = 0, min_payload = 0, messages_received = 0,
                  authorization_failures = 0;
  };

  explicit TopicCounts(const TopicDimensions& dimensions)
      : generation_(dimensions.generation()), numbers_(dimensions.size() * 2) {}

  /// f(Numbers&) for the one side of each dimension that the topic is on, if that is watched.
  template <class F>
  void Each(const TopicDimensions& dimensions, TopicDimensions::Mask mask, F&& f) {
    for (std::size_t i = 0; i < dimensions.size(); ++i) {
      bool in = (mask >> i & 1) != 0;
      if ((in ? dimensions.in(i) : dimensions.not_in(i)) != 0) f(numbers_[2 * i + (in ? 0 : 1)]);
    }
  }

  /// f(record) for each series with anything in it.
  template <class F>
  void Records(const TopicDimensions& dimensions, std::string_view client_id, std::string_view fingerprint,
               std::string_view source_ip, F&& f) const {
    if (generation_ != dimensions.generation()) return;
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      const Numbers& n = numbers_[i];
      if ((n.messages_sent | n.messages_received | n.authorization_failures) == 0) continue;
      report::CounterRecord record;
      record.dimension = i % 2 == 0 ? dimensions.in(i / 2) : dimensions.not_in(i / 2);
      record.client_id = client_id;
      record.fingerprint = fingerprint;
      if (n.messages_sent > 0) record.source_ip = source_ip;
      record.messages_sent = n.messages_sent;
      record.bytes_sent = n.bytes_sent;
      record.max_payload = n.max_payload;
      record.min_payload = n.min_payload;
      record.messages_received = n.messages_received;
      record.authorization_failures = n.authorization_failures;
      f(record);
    }
  }

  bool IsOf(const TopicDimensions& dimensions) const { return generation_ == dimensions.generation(); }

 private:
  std::uint64_t generation_;
  std::vector<Numbers> numbers_;
};

}  // namespace fleetward::plugin
