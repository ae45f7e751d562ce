#include "report_topic.h"

namespace fleetward::plugin {
namespace {

constexpr std::string_view kPrefix = "$aws/things/";
constexpr std::string_view kMiddle = "/defender/metrics/";

/// Takes one level off `rest`; false when there is none left.
bool NextLevel(std::string_view& rest, bool& more, std::string_view& level) {
  if (!more) return false;
  std::size_t slash = rest.find('/');
  more = slash != std::string_view::npos;
  level = rest.substr(0, slash);
  rest = more ? rest.substr(slash + 1) : std::string_view();
  return true;
}

}  // namespace

std::optional<ReportTopic> ParseReportTopic(std::string_view topic) {
  if (!topic.starts_with(kPrefix)) return std::nullopt;
  std::string_view rest = topic.substr(kPrefix.size());
  std::size_t slash = rest.find('/');
  if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
  ReportTopic parsed;
  parsed.thing = rest.substr(0, slash);
  rest.remove_prefix(slash);
  if (!rest.starts_with(kMiddle)) return std::nullopt;
  rest.remove_prefix(kMiddle.size());
  if (rest == "json") return parsed;
  if (rest != "cbor") return std::nullopt;
  parsed.format = report::ReportFormat::kCbor;
  return parsed;
}

bool CouldMatchAnswers(std::string_view filter) {
  // An empty pattern level stands for any text: thing, format, accepted or rejected.
  constexpr std::string_view kLevels[] = {"$aws", "things", "", "defender", "metrics", "", ""};
  bool more = true;
  std::string_view level;
  bool first = true;
  for (std::string_view wanted : kLevels) {
    if (!NextLevel(filter, more, level)) return false;
    // Wildcards on the first level match no $ topic.
    if (level == "#") return !first;
    if (level != wanted && (first || level != "+") && !wanted.empty()) return false;
    first = false;
  }
  return !more || filter == "#";
}

}  // namespace fleetward::plugin
