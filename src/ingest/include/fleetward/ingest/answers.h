// How devices hear whether a report was taken.
#pragma once

#include <string>
#include <string_view>

namespace fleetward::ingest {

/// Called from shard threads and the edge thread. Must not block: what cannot be sent is lost, as at the service.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual void Send(const std::string& topic, std::string_view payload) = 0;
};

}  // namespace fleetward::ingest
