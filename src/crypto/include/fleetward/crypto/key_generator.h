// RSA keys made by one worker behind a bounded queue, so that a flood of CreateKeysAndCertificate costs one core at
// most and delays nobody else (threats.md r).
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>

#include "fleetward/base/result.h"
#include "fleetward/crypto/private_key.h"

namespace fleetward::crypto {

class KeyGenerator {
 public:
  struct Options {
    std::size_t max_waiting = 8;  // callers that wait at once; further ones are refused
    std::size_t ready_keys = 4;   // kept in stock once the first key was asked for
  };
  KeyGenerator() : KeyGenerator(Options{}) {}
  explicit KeyGenerator(Options options);
  /// Nobody may be waiting any more.
  ~KeyGenerator();

  /// Blocks until there is a key. Thread-safe. Errors: kThrottled when the queue is full.
  Result<PrivateKey> TakeRsa2048();

 private:
  void Run();

  const Options options_;
  std::mutex mutex_;
  std::condition_variable wanted_, made_;
  std::deque<Result<PrivateKey>> stock_;
  std::size_t waiting_ = 0;
  bool started_ = false;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace fleetward::crypto
