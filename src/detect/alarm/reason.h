// Sentences that say why, made from data. Plain words, with the figures in them.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/detect/sink.h"
#include "plan/plan.h"

namespace fleetward::detect {

/// "aws:all-bytes-out was 64000 in 300 s, normal is less-than 10000; datapoint 2 of 2".
std::string DatapointReason(const PlanBehavior& behavior, const Inputs& inputs, bool violating, Cause cause,
                            int consecutive, int needed);
/// "no value of the metric for more than two days".
std::string InvalidationReason(Cause cause);
/// What the verdict means for a reader of `fleetward why`.
std::string VerdictReason(const PlanBehavior& behavior, const BehaviorExplanation& state);

}  // namespace fleetward::detect
