// What an engine decides, and why. Everything here is data; texts are made from it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/time.h"
#include "fleetward/model/behavior.h"
#include "fleetward/model/metric.h"
#include "fleetward/model/violation.h"

namespace fleetward::detect {

/// Outcome of the latest evaluation of a behavior for a thing, or why there was none. Stored: never change the numbers.
enum class Verdict : std::uint8_t {
  kNoData = 0,             // no value of the metric has come yet
  kConforming = 1,
  kViolating = 2,
  kEmptyList = 3,          // an empty list conforms and clears (detect.md §3); labelled, threats.md f
  kNoMessages = 4,         // message size with no message in the bucket: nothing to object to
  kWindowOpen = 5,         // the window has not closed yet
  kWindowIncomplete = 6,   // the metric is watched for less than a window: only a broken upper limit counts
  kFirstDelta = 7,         // first counters of the thing: the time they cover is unknown
  kGap = 8,                // counters after a gap of more than two intervals (D4), or marked so by the reporter
  kLate = 9,               // came late: stored, not judged (D6)
  kNoCriteria = 10,        // the behavior has no criteria: its metric is only retained
  kMetricUnknown = 11,     // no such metric is defined (any more)
  kKindMismatch = 12,      // the device sent another kind of value than the metric's type
  kNotConnected = 13,      // not connected in the window and no events: no datapoint
  kConnectionUnknown = 14, // never seen to connect: its time offline is unknown
  kNoAddress = 15,         // no source address was seen in the bucket
  kNotJudged = 16,         // criteria of a kind that this version does not judge
  kUnobserved = 17,        // the edge was silent for a part of the window (broker or server was away)
  kTooFew = 18,            // statistical: fewer than 10 other values in the window before (D7)
  kNegativeValues = 19,    // statistical: percentiles are not defined, some thing's value is negative
  kLearning = 20,           // ML: the model has seen too little of this thing
};
/// "conforming", "window open", ….
std::string_view VerdictName(Verdict verdict);

/// Why an alarm changed. Stored: never change the numbers.
enum class Cause : std::uint8_t {
  kDatapoints = 0,         // enough consecutive datapoints
  kEarly = 1,              // the limit was broken before the window's end (D5)
  kEmptyList = 2,          // the device sent an empty list
  kSilent = 3,             // no value for more than two days
  kBehaviorChanged = 4,    // definition changed, or the behavior was removed from its profile
  kNotTargeted = 5,        // profile detached, or the thing left the group
  kProfileDeleted = 6,
  kThingDeleted = 7,
};
std::string_view CauseName(Cause cause);

/// What a statistical or ML behavior expected, at the moment of the evaluation.
struct Expectation {
  std::optional<double> low, high;         // the band of normal values; one side may be open
  bool low_included = true, high_included = true;
  std::uint64_t values = 0;                // it was made from
  double percent = 100;      // ML: of the values wanted before judging at full confidence
  Timestamp window_end{};                  // statistical: of the window the values are from
  std::string reason;                      // where it comes from, "p99.9 of 49 other things in the window before"
};

/// The figures an evaluation looked at.
struct Inputs {
  model::MetricValue value;                // as judged: scaled deltas, minutes for disconnect-duration
  Timestamp window_start{};                // equal to window_end for a value without window
  Timestamp window_end{};
  std::int64_t covered_ms = 0;             // of the window by reports (deltas) or whole buckets
  std::int64_t needed_ms = 0;              // durationSeconds
  bool scaled = false;                     // D4: the sum was scaled to the window
  std::uint32_t elements = 0;              // lists: how many
  std::uint32_t offending = 0;             // lists: how many were on the wrong side
  std::string example;                     // lists: the first of these
  std::optional<Expectation> expected;     // statistical and ML behaviors
  std::optional<bool> connected;           // whether the thing was; unset: never seen to connect
};

/// One transition of one alarm.
struct Decision {
  model::ViolationEvent event;             // event.reason is the text made from the rest
  Cause cause = Cause::kDatapoints;
  Inputs inputs;                           // empty for kAlarmInvalidated
  bool registered = true;
  /// The behavior is one that most things violate by definition: no alert of its own, it stands in a WindowDigest.
  bool digest = false;
  /// Where to send alerts: the profile's at this moment. Valid during the call.
  const std::map<std::string, model::AlertTarget>* alert_targets = nullptr;
};

/// A further violating datapoint of an alarm that is on (detect.md §4: no event).
struct ActiveUpdate {
  model::ViolationId violation_id;
  model::EntityId entity;
  const model::SecurityProfileName* profile = nullptr;   // valid during the call
  const model::BehaviorName* behavior = nullptr;         // valid during the call
  const model::MetricValue* value = nullptr;             // valid during the call
  Timestamp time{};
};

/// More new alarms of one behavior than the limit (D12): one incident instead of an event each.
struct StormUpdate {
  Id128 id;                                // the same in every update of one storm
  model::SecurityProfileName profile;
  model::BehaviorName behavior;
  Timestamp started{};
  Timestamp last{};
  std::uint64_t count = 0;                 // alarms without an event of their own so far
  bool ended = false;
  std::string reason;
};

/// A window of a behavior that most things violate by its definition (model::ViolatedByMost): one alert instead of one
/// for each thing. Every shard is told the same sums; one of them sends the alert.
struct WindowDigest {
  Id128 id;                                // the same in a replay
  model::SecurityProfileName profile;
  model::Behavior behavior;
  model::ProfileTarget target;
  Timestamp window_end{};
  std::uint64_t raised = 0;                // alarms that began in the window
  std::uint64_t cleared = 0;
  std::vector<std::string> names;          // of raised ones, the first 10 by name
  const std::map<std::string, model::AlertTarget>* alert_targets = nullptr;   // valid during the call
};

/// Takes decisions as they are made, in a deterministic order, on the engine's thread. Must not call the engine back.
class DecisionSink {
 public:
  virtual ~DecisionSink() = default;
  virtual void OnViolation(const Decision& decision) = 0;
  virtual void OnActiveUpdated(const ActiveUpdate& update) = 0;
  /// At the first alarm over the limit, then with every watermark that finds the count grown, and once at the end.
  virtual void OnStorm(const StormUpdate& update) = 0;
  /// Only for windows with something in them.
  virtual void OnDigest(const WindowDigest& digest) = 0;
};

/// Where one behavior stands for one thing; what `fleetward why` prints (D36).
struct BehaviorExplanation {
  model::SecurityProfileName profile;
  model::Behavior behavior;
  Verdict verdict = Verdict::kNoData;
  std::string why;                         // one sentence
  model::MetricValue last_value;           // counts and numbers, as last judged
  std::uint32_t elements = 0;              // of the last list, at most 65535
  std::uint32_t offending = 0;             // of these, on the wrong side
  std::string example;                     // one of these, if it is a port or an IPv4 address
  std::optional<Expectation> expected;     // statistical and ML behaviors: what is normal now
  std::optional<Timestamp> last_seen;      // when the metric last had a value, whole seconds
  std::optional<bool> connected;           // whether the thing is; unset: never seen to connect
  std::int64_t covered_ms = 0;             // of the open window
  std::int64_t needed_ms = 0;
  std::int32_t violating = 0;              // consecutive violating datapoints so far
  std::int32_t needed_to_alarm = 1;
  std::int32_t conforming = 0;
  std::int32_t needed_to_clear = 1;
  bool in_alarm = false;
  bool in_storm = false;                   // the alarm has no event of its own (D12)
  std::optional<model::ViolationId> violation_id;        // while in alarm
  std::optional<Timestamp> first_violation;              // of the present streak or alarm
};

}  // namespace fleetward::detect
