// What the tests that compare the engine with a slow reference have in common: random choices, an engine's options, and
// things t0, t1, … in groups g0 and g1 with one profile "P".
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "fleetward/detect/engine.h"

namespace fleetward::detect {

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  std::int64_t Pick(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }
  template <class T>
  T Of(std::initializer_list<T> list) { return *(list.begin() + Pick(static_cast<std::int64_t>(list.size()))); }

 private:
  std::mt19937_64 random_;
};

/// One account, several slabs, no limit on new alarms.
Options ReferenceOptions();

class ReferenceFleet {
 public:
  /// `groups`: the profile is attached to both groups, else to all things.
  explicit ReferenceFleet(bool groups) : groups_(groups) {}

  static std::string NameOf(int thing) { return "t" + std::to_string(thing); }
  /// Version 0 is the profile's first; behaviors keep their definition's version as the registry counts it.
  void SetProfile(Engine& engine, std::size_t version, const std::vector<model::Behavior>& behaviors, Timestamp time);
  static void SetThing(Engine& engine, int thing, int group, Timestamp time);

 private:
  bool groups_;
  ProfileConfig last_;
};

}  // namespace fleetward::detect
