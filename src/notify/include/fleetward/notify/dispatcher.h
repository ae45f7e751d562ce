// Takes deliveries from the outbox to the channels. Each endpoint has a lane of its own: its retries, its rate, its
// slowness hold nobody else up. Mails and http(s) have workers of their own; endpoints that are slow may take at most
// half of them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/notify/channel.h"
#include "fleetward/notify/outbox.h"

namespace fleetward::notify {

struct DispatcherSettings {
  int mail_workers = 4;
  int http_workers = 16;
  std::size_t per_lane = 4;           // deliveries under way to one endpoint
  Millis slow_after{2000};            // an attempt longer than this marks its endpoint as slow
  // Mails; http(s) endpoints follow their delivery policy.
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

  /// Errors: the store's.
  Status Start();
  /// Ends after the sends under way; what is queued stays queued.
  void Stop();
  /// Sends what is due now, on the caller's thread; how many were tried. For tests.
  std::size_t RunOnce();

 private:
  struct Lane {
    Timestamp due{};
    bool listed = false;              // in one of its pool's queues
    bool slow = false;
    std::uint64_t additions = 0;      // counts wake-ups, so that none is lost while the store is asked
    std::set<std::string> under_way;  // delivery keys
    int takers = 0;                   // workers that read the store for it
    Timestamp not_before{};           // of its rate limit
  };
  using Queue = std::set<std::pair<Timestamp, std::string>>;
  struct Pool {
    std::map<std::string, Lane> lanes;
    Queue ready, ready_slow;
    int workers = 0;
    int slow_running = 0;
    std::condition_variable wake;
  };
  struct Claim {
    Delivery delivery;
    std::string lane;
    bool slow = false;
  };

  Pool& PoolOf(std::string_view lane) { return lane.front() == 'h' ? http_ : mail_; }
  void Work(Pool& pool);
  std::optional<std::string> NextLane(Pool& pool, Timestamp now);
  std::optional<Claim> Take(Pool& pool, std::unique_lock<std::mutex>& lock);
  void List(Pool& pool, const std::string& name, Lane& lane, Timestamp due);
  void Unlist(Pool& pool, const std::string& name, Lane& lane);
  void Added(const std::vector<std::string>& lanes);
  void Attend(Pool& pool, const Claim& claim);
  Status Mark(const Delivery& delivery, const Attempt& attempt);
  std::optional<Millis> RetryAfter(const Delivery& delivery) const;

  Outbox& outbox_;
  const Clock& clock_;
  std::map<std::string, Channel*> channels_;
  DispatcherSettings settings_;
  CounterRegistry& counters_;
  std::mutex mutex_;
  Pool mail_, http_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace fleetward::notify
