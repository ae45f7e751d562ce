// Handlers of the sns operations: topics, subscriptions, publishing, tags (core.md §9).
#pragma once

#include "fleetward/api/core/router.h"
#include "fleetward/notify/topics.h"

namespace fleetward::api {

/// The service outlives the router.
void RegisterSnsHandlers(Router& router, notify::TopicService& topics);

}  // namespace fleetward::api
