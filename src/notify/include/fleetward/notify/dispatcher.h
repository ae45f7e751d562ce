// Takes deliveries from the outbox to the channels: retries with back-off, dead letters after a day.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/notify/channel.h"
#include "fleetward/notify/outbox.h"

namespace fleetward::notify {

struct DispatcherSettings {
  int workers = 4;
  Millis first_retry{2000};
  Millis longest_retry{600000};
  Millis give_up_after{86400000};
};

class Dispatcher {
 public:
  /// All references must outlive the dispatcher. `channels` maps a protocol to its channel.
  Dispatcher(Outbox& outbox, const Clock& clock, std::map<std::string, Channel*> channels, DispatcherSettings settings,
             CounterRegistry& counters);
  ~Dispatcher();

  void Start();
  /// Ends after the sends under way; what is queued stays queued.
  void Stop();
  /// Sends what is due now, on the caller's thread; how many were tried. For tests.
  std::size_t RunOnce();

 private:
  void Work();
  bool Claim(Delivery& delivery);
  void Attend(const Delivery& delivery);
  Millis Backoff(int attempts) const;

  Outbox& outbox_;
  const Clock& clock_;
  std::map<std::string, Channel*> channels_;
  DispatcherSettings settings_;
  CounterRegistry& counters_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::set<std::string> claimed_;
  bool added_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace fleetward::notify
