#include "fleetward/policy/topic.h"

#include <algorithm>

#include "fleetward/base/encoding.h"

namespace fleetward::policy {
namespace {

constexpr std::string_view kShare = "$share/";
constexpr std::string_view kRules = "$aws/rules/";
constexpr std::size_t kMaxShareName = 128;

Error Bad(std::string_view what) { return Error(Code::kInvalidArgument, std::string(what)); }

/// Without `$aws/rules/{rule}/`, whose slashes do not count.
std::string_view CountedPart(std::string_view topic) {
  if (!topic.starts_with(kRules)) return topic;
  std::size_t slash = topic.find('/', kRules.size());
  return slash == std::string_view::npos ? std::string_view{} : topic.substr(slash + 1);
}

Status CheckCommon(std::string_view text, std::string_view counted, const TopicLimits& limits) {
  if (text.empty()) return Bad("the topic is empty");
  if (text.size() > limits.max_bytes) return Bad("the topic is longer than allowed");
  if (text.find('\0') != std::string_view::npos) return Bad("the topic holds a NUL character");
  if (!IsUtf8(text)) return Bad("the topic is not UTF-8");
  auto slashes = static_cast<std::size_t>(std::count(counted.begin(), counted.end(), '/'));
  if (limits.max_slashes != 0 && slashes > limits.max_slashes) return Bad("the topic has too many levels");
  return {};
}

Status CheckWildcards(std::string_view filter) {
  for (std::size_t i = 0; i < filter.size(); ++i) {
    if (filter[i] != '+' && filter[i] != '#') continue;
    bool starts = i == 0 || filter[i - 1] == '/';
    bool ends = i + 1 == filter.size() || filter[i + 1] == '/';
    if (!starts || !ends) return Bad("a wildcard must fill a whole level of the filter");
    if (filter[i] == '#' && i + 1 != filter.size()) return Bad("# must be the last level of the filter");
  }
  return {};
}

std::string_view TakeLevel(std::string_view& rest, bool& more) {
  std::size_t slash = rest.find('/');
  std::string_view level = rest.substr(0, slash);
  more = slash != std::string_view::npos;
  rest = more ? rest.substr(slash + 1) : std::string_view{};
  return level;
}

}  // namespace

Status ValidateTopic(std::string_view topic, const TopicLimits& limits) {
  FW_TRY(CheckCommon(topic, CountedPart(topic), limits));
  if (topic.find_first_of("+#") != std::string_view::npos) return Bad("a topic to publish to has no wildcards");
  return {};
}

Status ValidateTopicFilter(std::string_view filter, const TopicLimits& limits) {
  std::string_view inner = StripShare(filter);
  FW_TRY(CheckCommon(filter, CountedPart(inner), limits));
  if (filter.starts_with(kShare) || filter == "$share") {
    if (inner.size() == filter.size() || inner.empty()) return Bad("a shared subscription is $share/{name}/{filter}");
    std::size_t name_size = filter.size() - inner.size() - kShare.size() - 1;
    std::string_view name = filter.substr(kShare.size(), name_size);
    if (name.empty() || name.size() > kMaxShareName || name.find_first_of("+#") != std::string_view::npos) {
      return Bad("the name of a shared subscription has 1-128 characters without + and #");
    }
  }
  return CheckWildcards(inner);
}

std::string_view StripShare(std::string_view filter) {
  if (!filter.starts_with(kShare)) return filter;
  std::size_t slash = filter.find('/', kShare.size());
  return slash == std::string_view::npos ? filter : filter.substr(slash + 1);
}

bool TopicMatches(std::string_view filter, std::string_view topic, HashRule rule) {
  if (filter.empty() || topic.empty()) return false;
  if (topic.front() == '$' && (filter.front() == '+' || filter.front() == '#')) return false;
  bool more_filter = true;
  bool more_topic = true;
  while (more_filter && more_topic) {
    std::string_view want = TakeLevel(filter, more_filter);
    if (want == "#") return true;
    std::string_view have = TakeLevel(topic, more_topic);
    if (want != "+" && want != have) return false;
  }
  if (more_filter) return rule == HashRule::kStandard && filter == "#";
  return !more_topic;
}

}  // namespace fleetward::policy
