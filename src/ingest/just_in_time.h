// Just-in-time registration: certificates that a broker was shown and that are not registered (core.md §4).
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "fleetward/base/clock.h"
#include "fleetward/ingest/answers.h"
#include "fleetward/registry/certificates.h"

namespace fleetward::ingest {

/// A thread of its own, as registering waits for the disk. What does not fit is forgotten: the device tries again.
class JustInTime {
 public:
  JustInTime(registry::Certificates& certificates, std::string account, AnswerSink& events, const Clock& clock);
  ~JustInTime();

  /// Any thread; never blocks. `der` comes from a TLS handshake.
  void Offer(std::string_view der);

 private:
  void Run();
  void Register(const std::string& der);

  registry::Certificates& certificates_;
  const std::string account_;
  AnswerSink& events_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fleetward::ingest
