#include "fleetward/telemetry/gaps.h"

#include <algorithm>

namespace fleetward::telemetry {
namespace {

constexpr Millis kDefaultInterval{300'000};
constexpr std::uint64_t kMostMissing = 100'000;   // looked at one by one; a longer gap is one of its first cause
constexpr Millis kDrain{30'000};                 // at most, from a full buffer to the news that it was

/// What the connection history says of a moment.
class Link {
 public:
  explicit Link(const GapFacts& facts) : events_(facts.connections) {
    int now = 0, least = 0;
    bool reset = false;
    for (const ConnectionEvent& event : events_) {
      if (event.entity == kEveryThing) {
        reset = true;
        break;
      }
      now += Step(event);
      least = std::min(least, now);
    }
    // What was open at the beginning: as much as is closed later, and as is open now.
    at_start_ = -least;
    if (!reset && facts.connected_at_end) at_start_ = std::max(at_start_, 1 - now);
  }

  /// Null: connected. Times do not decrease from call to call.
  const std::string* OfflineReason(Timestamp time) {
    if (next_ == 0) open_ = at_start_;
    for (; next_ < events_.size() && events_[next_].time <= time; ++next_) {
      const ConnectionEvent& event = events_[next_];
      bool everyone = event.entity == kEveryThing;
      open_ = everyone ? 0 : std::max(0, open_ + Step(event));
      if (everyone || event.type == ConnectionEventType::kDisconnect) reason_ = event.reason;
    }
    return open_ > 0 ? nullptr : &reason_;
  }

 private:
  static int Step(const ConnectionEvent& event) {
    if (event.type == ConnectionEventType::kConnect) return 1;
    return event.type == ConnectionEventType::kDisconnect ? -1 : 0;
  }

  std::span<const ConnectionEvent> events_;
  std::size_t next_ = 0;
  int at_start_ = 0, open_ = 0;
  std::string reason_;
};

class Labeller {
 public:
  explicit Labeller(const GapFacts& facts)
      : facts_(facts), link_(facts), interval_(UsualInterval(facts.values)) {}

  std::vector<Gap> Run() {
    Timestamp before = facts_.start;
    for (Timestamp value : facts_.values) {
      Look(before, value);
      before = value;
    }
    Look(before, facts_.end);
    if (facts_.source == Source::kDevice) MarkLost();
    return std::move(gaps_);
  }

 private:
  void Look(Timestamp from, Timestamp to) {
    if ((to - from).count() * 10 <= interval_.count() * 22) return;
    const std::size_t first = gaps_.size();
    auto expected = static_cast<std::uint64_t>((to - from - interval_ / 2) / interval_);
    for (std::uint64_t k = 1; k <= std::min(expected, kMostMissing); ++k) {
      Timestamp time = from + interval_ * static_cast<std::int64_t>(k);
      const std::string* reason = link_.OfflineReason(time);
      // A report that was due just before the link ended may only have been late: a tenth of jitter, as above.
      if (reason == nullptr) reason = link_.OfflineReason(time + interval_ / 10);
      GapCause cause = CauseAt(time, reason != nullptr);
      if (gaps_.size() == first || gaps_.back().cause != cause) {
        Timestamp start = gaps_.size() == first ? from : time;
        if (gaps_.size() > first) gaps_.back().end = start;
        gaps_.push_back({start, to, cause, 0, cause == GapCause::kOffline ? *reason : std::string()});
      }
      ++gaps_.back().missing;
    }
  }

  GapCause CauseAt(Timestamp time, bool offline) {
    auto near = std::lower_bound(facts_.without.begin(), facts_.without.end(), time - interval_ / 2);
    if (near != facts_.without.end() && *near <= time + interval_ / 2) return GapCause::kNotInReport;
    if (offline) return GapCause::kOffline;
    return facts_.source == Source::kDevice ? GapCause::kAgentStopped : GapCause::kNotWatched;
  }

  /// Reports that the broker lost were sent while the thing was connected, before the broker said so: it does when half of
  /// its buffer is free again.
  void MarkLost() {
    for (const LostReports& lost : facts_.lost) {
      for (auto gap = gaps_.rbegin(); gap != gaps_.rend() && gap->end + interval_ + kDrain >= lost.time; ++gap) {
        if (gap->cause != GapCause::kAgentStopped || gap->start >= lost.time) continue;
        gap->cause = GapCause::kOverflow;
        break;
      }
    }
  }

  const GapFacts& facts_;
  Link link_;
  const Millis interval_;
  std::vector<Gap> gaps_;
};

}  // namespace

std::string_view GapCauseName(GapCause cause) {
  switch (cause) {
    case GapCause::kOffline: return "offline";
    case GapCause::kAgentStopped: return "agent stopped";
    case GapCause::kOverflow: return "overflow";
    case GapCause::kNotWatched: return "not watched";
    case GapCause::kNotInReport: break;
  }
  return "not in report";
}

Millis UsualInterval(std::span<const Timestamp> values) {
  std::vector<std::int64_t> steps;
  for (std::size_t i = 1; i < values.size(); ++i) {
    std::int64_t step = ToMillis(values[i]) - ToMillis(values[i - 1]);
    if (step > 0) steps.push_back(step);
  }
  if (steps.size() < 2) return kDefaultInterval;
  auto middle = steps.begin() + static_cast<std::ptrdiff_t>((steps.size() - 1) / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return Millis(*middle);
}

std::vector<Gap> LabelGaps(const GapFacts& facts) { return Labeller(facts).Run(); }

}  // namespace fleetward::telemetry
