// Why a series has no values for a while: worked out when it is read, from what else is known of the thing. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/time.h"
#include "fleetward/telemetry/connection_history.h"
#include "fleetward/telemetry/sample.h"

namespace fleetward::telemetry {

enum class GapCause : std::uint8_t {
  kOffline,        // the thing was not connected
  kAgentStopped,   // connected, and sent no report
  kOverflow,       // reports were lost: the broker's buffer was full
  kNotWatched,     // of the broker's counts: it, or the server, did not count
  kNotInReport,    // reports came without the metric; of the broker's counts: buckets without it
};
std::string_view GapCauseName(GapCause cause);   // "agent stopped"

struct Gap {
  Timestamp start{}, end{};     // start < missing values < end
  GapCause cause{};
  std::uint64_t missing = 0;    // values that were to be expected
  std::string reason;           // kOffline: of the disconnect, or empty
};

struct LostReports {
  Timestamp time{};             // when the broker said so: they were lost before
  std::uint64_t reports = 0;
};

struct GapFacts {
  Timestamp start{}, end{};                       // what is looked at
  Source source = Source::kDevice;
  std::span<const Timestamp> values;              // of the series, ascending
  std::span<const Timestamp> without;             // samples without it, ascending
  std::span<const ConnectionEvent> connections;   // of the thing and of kEveryThing in start..end, by time
  bool connected_at_end = false;
  std::span<const LostReports> lost;              // by time
};

/// The usual time between values: the median, or 300 s when there are too few to tell.
Millis UsualInterval(std::span<const Timestamp> values);

/// Gaps of more than two intervals (with a tenth for jitter, as detection has it), each cut where the cause changes.
std::vector<Gap> LabelGaps(const GapFacts& facts);

}  // namespace fleetward::telemetry
