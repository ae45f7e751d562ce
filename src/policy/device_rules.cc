#include "fleetward/policy/device_rules.h"

#include <array>

#include "fleetward/base/encoding.h"

namespace fleetward::policy {
namespace {

/// A topic's levels. The first eight and the last are all that a rule looks at; nothing is allocated.
class Levels {
 public:
  explicit Levels(std::string_view topic) {
    for (std::size_t start = 0;; ++size_) {
      std::size_t slash = topic.find('/', start);
      back_ = topic.substr(start, slash - start);
      if (size_ < kKept) first_[size_] = back_;
      if (slash == std::string_view::npos) break;
      start = slash + 1;
    }
    ++size_;
  }

  std::size_t size() const { return size_; }
  /// `index` below eight and size().
  std::string_view operator[](std::size_t index) const { return first_[index]; }
  std::string_view back() const { return back_; }

 private:
  static constexpr std::size_t kKept = 8;
  std::array<std::string_view, kKept> first_;
  std::string_view back_;
  std::size_t size_ = 0;
};

bool OneOf(std::string_view text, auto... choices) { return ((text == choices) || ...); }

bool IsWildcard(std::string_view level) { return level == "+" || level == "#"; }

/// Services of a thing's namespace that AWS devices talk to; whatever answers them, policies decide.
bool IsThingService(std::string_view level) { return OneOf(level, "shadow", "jobs", "streams", "tunnels"); }

/// Last levels on which only the service speaks.
bool IsServiceAnswer(std::string_view level) {
  return OneOf(level, "accepted", "rejected", "delta", "documents", "notify", "notify-next", "description", "data");
}

Refusal PublishToThing(const DeviceRules& rules, const Ownership& who, const Levels& levels) {
  if (levels.size() < 4) return Refusal::kReservedTopic;
  if (IsThingService(levels[3])) return IsServiceAnswer(levels.back()) ? Refusal::kReservedTopic : Refusal::kNone;
  bool report = levels.size() == 6 && levels[3] == "defender" && levels[4] == "metrics" &&
                OneOf(levels[5], "json", "cbor");
  if (!report || levels[2].empty()) return Refusal::kReservedTopic;
  bool restricted = who.HasExactlyOneThing() && !rules.report_for_others;
  return restricted && !who.Owns(levels[2]) ? Refusal::kForeignReport : Refusal::kNone;
}

/// What may be read below `$aws/things/{thing}/`; `levels` are a topic's or a filter's.
Refusal ReadFromThing(const DeviceRules& rules, const Ownership& who, const Levels& levels) {
  if (levels.size() < 3 || levels[2] == "#") return Refusal::kForeignReport;
  bool literal = levels[2] != "+" && !levels[2].empty();
  if (literal && who.Owns(levels[2])) return Refusal::kNone;
  if (levels.size() < 4) return Refusal::kReservedTopic;
  if (IsThingService(levels[3])) return Refusal::kNone;
  // Where reporting for others is allowed, so is reading the answers to it.
  bool answer = levels.size() == 7 && levels[3] == "defender" && levels[4] == "metrics" &&
                OneOf(levels[5], "json", "cbor") && OneOf(levels[6], "accepted", "rejected");
  return rules.report_for_others && literal && answer ? Refusal::kNone : Refusal::kForeignReport;
}

/// `$aws/events/{family}/{event}/{client id}` and the registry's events about one thing: one's own only. Events about
/// groups and types are nobody's own.
Refusal ReadEvents(const Ownership& who, std::string_view topic, const Levels& levels) {
  if (levels.size() < 5) return Refusal::kForeignReport;
  auto own = [&](std::size_t at) {
    bool mine = levels.size() > at && !IsWildcard(levels[at]) && who.Owns(levels[at]);
    return mine ? Refusal::kNone : Refusal::kForeignReport;
  };
  if (levels[2] == "thing") return own(3);
  if (levels[2] == "thingTypeAssociation" && levels[3] == "thing") return own(4);
  if (levels[2] == "thingGroupMembership" && levels[3] == "thingGroup" && levels.size() > 6 && levels[5] == "thing") {
    return own(6);
  }
  if (!OneOf(levels[2], "presence", "subscriptions") || levels[3] == "#") return Refusal::kForeignReport;
  // A client id may hold slashes: the rest of the topic is compared whole. One with wildcards never compares equal.
  std::string_view id = who.client_id();
  if (id.empty() || id.find_first_of("+#") != std::string_view::npos) return Refusal::kForeignReport;
  auto at = static_cast<std::size_t>(levels[4].data() - topic.data());
  return topic.substr(at) == id ? Refusal::kNone : Refusal::kForeignReport;
}

/// For topics and filters that begin with `$`.
Refusal CheckReadReserved(const DeviceRules& rules, const Ownership& who, std::string_view topic) {
  const Levels levels(topic);
  if (levels.size() < 2 || levels[0] != "$aws") return Refusal::kReservedTopic;
  if (levels[1] == "things") return ReadFromThing(rules, who, levels);
  if (levels[1] == "events") return ReadEvents(who, topic, levels);
  return IsWildcard(levels[1]) ? Refusal::kForeignReport : Refusal::kReservedTopic;
}

}  // namespace

std::string_view RefusalName(Refusal refusal) {
  constexpr std::array<std::string_view, 13> kNames{
      "none", "unknown-certificate", "certificate-not-active", "certificate-expired", "client-id-invalid",
      "foreign-client-id", "topic-invalid", "reserved-topic", "foreign-report", "retain-on-reserved", "override",
      "explicit-deny", "implicit-deny"};
  return kNames[static_cast<std::size_t>(refusal) % kNames.size()];
}

Refusal CheckClientId(const DeviceRules& rules, std::string_view client_id) {
  bool bad = client_id.empty() || client_id.size() > rules.max_client_id_bytes || client_id.front() == '$' ||
             client_id.find('\0') != std::string_view::npos || !IsUtf8(client_id);
  return bad ? Refusal::kClientIdInvalid : Refusal::kNone;
}

Refusal CheckPublish(const DeviceRules& rules, const Ownership& who, std::string_view topic, bool retain) {
  if (!ValidateTopic(topic, rules.topic).ok()) return Refusal::kTopicInvalid;
  if (topic.front() != '$') return Refusal::kNone;
  const Levels levels(topic);
  if (levels.size() < 2 || levels[0] != "$aws") return Refusal::kReservedTopic;
  Refusal refusal = Refusal::kReservedTopic;
  if (levels[1] == "things") {
    refusal = PublishToThing(rules, who, levels);
  } else if (levels[1] == "rules" && levels.size() >= 4) {
    refusal = Refusal::kNone;
  }
  if (refusal != Refusal::kNone) return refusal;
  return retain ? Refusal::kRetainOnReserved : Refusal::kNone;
}

Refusal CheckSubscribe(const DeviceRules& rules, const Ownership& who, std::string_view filter) {
  if (!ValidateTopicFilter(filter, rules.topic).ok()) return Refusal::kTopicInvalid;
  std::string_view inner = StripShare(filter);
  return inner.front() == '$' ? CheckReadReserved(rules, who, inner) : Refusal::kNone;
}

Refusal CheckReceive(const DeviceRules& rules, const Ownership& who, std::string_view topic) {
  if (topic.empty()) return Refusal::kTopicInvalid;
  return topic.front() == '$' ? CheckReadReserved(rules, who, topic) : Refusal::kNone;
}

}  // namespace fleetward::policy
