#include "fleetward/detect/sink.h"

namespace fleetward::detect {

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kNoData: return "no data";
    case Verdict::kConforming: return "conforming";
    case Verdict::kViolating: return "violating";
    case Verdict::kEmptyList: return "empty list";
    case Verdict::kNoMessages: return "no messages";
    case Verdict::kWindowOpen: return "window open";
    case Verdict::kWindowIncomplete: return "window incomplete";
    case Verdict::kFirstDelta: return "first delta";
    case Verdict::kGap: return "gap";
    case Verdict::kLate: return "late";
    case Verdict::kNoCriteria: return "no criteria";
    case Verdict::kMetricUnknown: return "metric unknown";
    case Verdict::kKindMismatch: return "kind mismatch";
    case Verdict::kNotConnected: return "not connected";
    case Verdict::kConnectionUnknown: return "connection unknown";
    case Verdict::kNoAddress: return "no address";
    case Verdict::kNotJudged: return "not judged";
    case Verdict::kUnobserved: return "unobserved";
    case Verdict::kTooFew: return "too few";
    case Verdict::kNegativeValues: return "negative values";
    case Verdict::kLearning: return "learning";
  }
  return "";
}

std::string_view CauseName(Cause cause) {
  switch (cause) {
    case Cause::kDatapoints: return "datapoints";
    case Cause::kEarly: return "early";
    case Cause::kEmptyList: return "empty list";
    case Cause::kSilent: return "silent";
    case Cause::kBehaviorChanged: return "behavior changed";
    case Cause::kNotTargeted: return "not targeted";
    case Cause::kProfileDeleted: return "profile deleted";
    case Cause::kThingDeleted: return "thing deleted";
  }
  return "";
}

}  // namespace fleetward::detect
