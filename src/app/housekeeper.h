// Slow chores on one thread: expiry of pending subscriptions, message ids and verifications.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fleetward/base/log.h"
#include "fleetward/base/result.h"

namespace fleetward::app {

class Housekeeper {
 public:
  using Chore = std::function<Status()>;

  ~Housekeeper() { Stop(); }

  /// Runs every chore now and then once an hour.
  void Start(std::vector<std::pair<std::string, Chore>> chores) {
    thread_ = std::thread([this, chores = std::move(chores)] {
      std::unique_lock lock(mutex_);
      do {
        lock.unlock();
        for (const auto& [name, chore] : chores) {
          if (Status done = chore(); !done.ok()) {
            log::Warning("chore-failed", {{"chore", name}, {"error", done.error().ToString()}});
          }
        }
        lock.lock();
      } while (!wake_.wait_for(lock, std::chrono::hours(1), [this] { return stopping_; }));
    });
  }

  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fleetward::app
