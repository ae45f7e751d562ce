// Commands to an edge whose answers somebody waits for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "fleetward/report/frames.h"

namespace fleetward::ingest {

/// Thread-safe.
class CommandBook {
 public:
  /// The number of a new command.
  std::uint64_t Open() {
    std::lock_guard lock(mutex_);
    open_[++last_];
    return last_;
  }
  void Forget(std::uint64_t request) {
    std::lock_guard lock(mutex_);
    open_.erase(request);
  }
  /// An edge's answer; one that nobody waits for is passed over.
  void Done(const report::DoneFrame& frame) {
    std::lock_guard lock(mutex_);
    auto found = open_.find(frame.request);
    if (found == open_.end()) return;
    found->second = frame.found;
    done_.notify_all();
  }
  /// What the edge found, and forgets the command; nothing when the time is over.
  std::optional<bool> Wait(std::uint64_t request, std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    done_.wait_for(lock, at_most, [&] { return open_[request].has_value(); });
    std::optional<bool> found = open_[request];
    open_.erase(request);
    return found;
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::optional<bool>> open_;
};

}  // namespace fleetward::ingest
