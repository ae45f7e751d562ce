// The JSON that an http(s) endpoint is sent, and what of it is signed. Private; pure.
#pragma once

#include <string>

#include "fleetward/base/result.h"
#include "fleetward/notify/outbox.h"
#include "fleetward/notify/signer.h"

namespace fleetward::notify {

/// "SubscriptionConfirmation", "Notification", "UnsubscribeConfirmation".
std::string_view MessageType(const Delivery& delivery);
/// Each signed member's name and value, a line each, in byte order of the names.
std::string StringToSign(const Delivery& delivery);
/// The finished document.
std::string Envelope(const Delivery& delivery, const Signature& signature);

}  // namespace fleetward::notify
