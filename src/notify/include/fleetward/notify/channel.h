// A way out: takes one delivery to its endpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fleetward/notify/outbox.h"

namespace fleetward::notify {

/// Why a delivery failed; a closed set, also the label of the counter.
enum class Failure : std::uint8_t { kNone, kConnect, kTls, kAuthentication, kRefused, kTimeout, kInvalid, kCancelled, kOther };
std::string_view FailureName(Failure failure);

struct Attempt {
  Failure failure = Failure::kNone;
  bool retry = false;
  std::string detail;  // for the log and the dead-letter list; never a secret
};

/// Called from several threads at once.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual Attempt Send(const Delivery& delivery) = 0;
  /// Ends sends under way within a second or so, as kCancelled; for good.
  virtual void Cancel() {}
};

}  // namespace fleetward::notify
