// ListActiveViolations and ListViolationEvents (detect.md §4): newest first, with the API's filters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/alarms/verification.h"
#include "fleetward/base/result.h"
#include "fleetward/model/violation.h"
#include "fleetward/store/block_store.h"

namespace fleetward::alarms {

/// Absent members do not filter.
struct ViolationFilter {
  std::optional<model::ThingName> thing;
  std::optional<model::SecurityProfileName> profile;
  std::optional<model::CriteriaType> criteria_type;
  std::optional<bool> suppressed;  // true: only those without alerts; false: only the others
  std::optional<model::VerificationState> verification;
};

struct ActivePage {
  std::vector<model::ActiveViolation> items;
  std::optional<std::string> next;
};

struct ListedEvent {
  model::ViolationEvent event;
  Verification verification;
};
struct EventPage {
  std::vector<ListedEvent> items;
  std::optional<std::string> next;
};

/// Thread-safe.
class AlarmQuery {
 public:
  /// `kept`: how long violation events are.
  AlarmQuery(const store::BlockStore& store, const VerificationBook& verifications, Millis kept = std::chrono::days(30))
      : store_(store), verifications_(verifications), kept_(kept) {}

  /// `from` is a page's `next` or empty. Errors: kInvalidArgument (no such `from`), kIo, kCorrupt.
  Result<ActivePage> Active(const ViolationFilter& filter, std::string_view from, std::size_t limit) const;
  Result<EventPage> Events(const ViolationFilter& filter, Timestamp start, Timestamp end, std::string_view from,
                           std::size_t limit) const;
  /// The newest transitions of a thing's alarms, at most `most`, newest first; of one behavior, or of all (empty).
  Result<std::vector<model::ViolationEvent>> Latest(const model::EntityId& entity, std::string_view behavior, Timestamp now,
                                                    std::size_t most) const;
  /// An alarm that is on, by id.
  Result<std::optional<model::ActiveViolation>> FindActive(const model::ViolationId& id) const;
  /// The thing of a violation that is on or has an event that is still kept; nothing for others.
  Result<std::optional<model::EntityId>> EntityOf(const model::ViolationId& id, Timestamp now) const;

 private:
  using Place = std::pair<Timestamp, model::ViolationId>;
  /// The newest of the active violations that may match and are older than `behind`, at most `most`, newest first.
  Result<std::vector<Place>> Newest(const ViolationFilter& filter, const std::optional<Place>& behind,
                                    std::size_t most) const;

  const store::BlockStore& store_;
  const VerificationBook& verifications_;
  const Millis kept_;
};

}  // namespace fleetward::alarms
