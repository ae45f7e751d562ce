// $aws/things/{thing}/defender/metrics/{json|cbor} and the answers below it (agent-protocol.md).
#pragma once

#include <optional>
#include <string_view>

#include "fleetward/report/frames.h"

namespace fleetward::plugin {

struct ReportTopic {
  std::string_view thing;  // view into the topic
  report::ReportFormat format = report::ReportFormat::kJson;
};

/// Nothing when `topic` is not one that reports are published to.
std::optional<ReportTopic> ParseReportTopic(std::string_view topic);

/// True when `filter` could match an answer to some thing's report ($share/{name}/ already stripped).
bool CouldMatchAnswers(std::string_view filter);

}  // namespace fleetward::plugin
