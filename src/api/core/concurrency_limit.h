// Keeps a costly operation from taking all handler threads (threats.md r). Private.
#pragma once

#include <condition_variable>
#include <mutex>

namespace fleetward::api {

class ConcurrencyLimit {
 public:
  ConcurrencyLimit(int running, int waiting) : running_left_(running), waiting_left_(waiting), max_waiting_(waiting) {}

  /// Waits for a turn; false at once when too many wait already.
  bool Enter() {
    std::unique_lock lock(mutex_);
    if (running_left_ == 0) {
      if (waiting_left_ == 0) return false;
      --waiting_left_;
      turn_.wait(lock, [this] { return running_left_ > 0; });
      ++waiting_left_;
    }
    --running_left_;
    return true;
  }
  /// For tests.
  int Waiting() {
    std::lock_guard lock(mutex_);
    return max_waiting_ - waiting_left_;
  }
  void Leave() {
    std::lock_guard lock(mutex_);
    ++running_left_;
    turn_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  int running_left_;
  int waiting_left_;
  int max_waiting_;
};

}  // namespace fleetward::api
