// Waiting until the brokers enforce what a call changed (decision 42).
#pragma once

#include <chrono>
#include <cstdint>

namespace fleetward::registry {

/// Implemented by whoever talks to the brokers.
class EnforcementBarrier {
 public:
  virtual ~EnforcementBarrier() = default;
  /// Waits until every connected broker has applied snapshot `version`, or until the time is over (false). With no
  /// broker connected there is nothing to wait for.
  virtual bool WaitApplied(std::uint64_t version, std::chrono::milliseconds at_most) = 0;
  /// The same, and that there is a broker.
  virtual bool WaitServed(std::uint64_t version, std::chrono::milliseconds at_most) = 0;
};

/// What the registry calls after a change that the brokers must know.
class Enforcement {
 public:
  virtual ~Enforcement() = default;
  /// Returns once the brokers enforce all changes made so far, or after about 100 ms.
  virtual void Settle() = 0;
  /// True once a broker is connected and every one of them enforces all changes made so far; false when the time is over.
  virtual bool Await(std::chrono::milliseconds at_most) = 0;
};

/// Nothing enforces: for tests and tools without a broker.
class NoEnforcement final : public Enforcement {
 public:
  void Settle() override {}
  bool Await(std::chrono::milliseconds) override { return true; }
};

}  // namespace fleetward::registry
