// A router with a few made-up handlers, for tests of what lies around handlers. Never part of the server.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fleetward/access/authenticator.h"
#include "fleetward/access/key_store.h"
#include "fleetward/api/core/operator_log.h"
#include "fleetward/api/core/router.h"
#include "fleetward/base/counters.h"
#include "fleetward/store/memory_store.h"

namespace fleetward::api::testing {

class RecordingLog : public OperatorLog {
 public:
  void Record(const OperatorEntry& entry) override {
    std::lock_guard lock(mutex_);
    entries_.push_back(entry);
  }
  std::vector<OperatorEntry> entries() const {
    std::lock_guard lock(mutex_);
    return entries_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<OperatorEntry> entries_;
};

/// Key store in memory, authenticator, router. DescribeEndpoint, CreateThing (remembers its last request), ListThings
/// (names 0 to 9 in pages), ListThingTypes, CreateTopic, ConfirmSubscription, Publish (both) and CreateSecurityProfile
/// answer; DescribeThing finds nothing; UpdateThing fails inside.
class FakeService {
 public:
  explicit FakeService(const Clock& clock, access::AuthenticatorOptions authenticator = {});

  const Clock& clock;
  CounterRegistry counters;
  RecordingLog operator_log;
  std::unique_ptr<store::MemoryDatabase> database;
  std::unique_ptr<store::ControlStore> store;
  std::unique_ptr<access::KeyStore> keys;
  std::unique_ptr<access::Authenticator> authenticator;
  std::unique_ptr<Router> router;
  access::NewAccessKey admin;
};

}  // namespace fleetward::api::testing
