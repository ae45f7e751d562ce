#include "fleetward/crypto/key_generator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <vector>

namespace fleetward::crypto {
namespace {

// threats.md r: a flood is refused, and nobody gets another's key.
TEST(KeyGenerator, FloodIsBoundedAndKeysAreDistinct) {
  KeyGenerator generator({.max_waiting = 2, .ready_keys = 0});
  std::atomic<int> refused = 0;
  std::mutex mutex;
  std::set<std::string> keys;
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&] {
      auto key = generator.TakeRsa2048();
      if (!key.ok()) {
        EXPECT_EQ(key.error().code(), Code::kThrottled);
        ++refused;
        return;
      }
      std::lock_guard lock(mutex);
      keys.insert(key->PublicPem());
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_GE(keys.size(), 2u);
  EXPECT_EQ(keys.size() + static_cast<std::size_t>(refused), 6u);
}

}  // namespace
}  // namespace fleetward::crypto
