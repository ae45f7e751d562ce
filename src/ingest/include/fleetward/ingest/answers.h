// How devices hear whether a report was taken.
#pragma once

#include <string>
#include <string_view>

namespace fleetward::ingest {

/// Called from shard threads and the edge thread. Must not block: what cannot be sent waits, up to a
/// bound; then it is lost, as at the service.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  /// May wait for Flush, to leave with others.
  virtual void Send(std::string_view topic, std::string_view payload) = 0;
  virtual void Flush() = 0;
};

}  // namespace fleetward::ingest
