// The channel to http and https endpoints.
#pragma once

#include <memory>

#include "fleetward/fetch/fetcher.h"
#include "fleetward/notify/channel.h"
#include "fleetward/notify/signer.h"

namespace fleetward::notify {

/// Posts signed JSON, or the message alone when delivery is raw. 2xx is success; 429, 5xx and no answer are tried again;
/// everything else, redirects too, is refused for good. References outlive the channel.
std::unique_ptr<Channel> MakeHttpChannel(const fetch::Fetcher& fetcher, MessageSigner& signer);

}  // namespace fleetward::notify
