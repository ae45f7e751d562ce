#include "topic_dimensions.h"

#include <algorithm>
#include <string>

#include "fleetward/policy/topic.h"

namespace fleetward::plugin {
namespace {

constexpr std::string_view kClientId = "${iot:ClientId}";

bool Matches(const std::string& filter, std::string_view topic, std::string_view client_id) {
  std::size_t at = filter.find(kClientId);
  if (at == std::string::npos) return policy::TopicMatches(filter, topic);
  // An id must not become a wildcard.
  if (client_id.find_first_of("+#") != std::string_view::npos) return false;
  std::string filled = filter;
  for (; at != std::string::npos; at = filled.find(kClientId, at + client_id.size())) {
    filled.replace(at, kClientId.size(), client_id);
  }
  return policy::TopicMatches(filled, topic);
}

}  // namespace

bool TopicDimensions::Set(const std::vector<policy::DimensionEntry>& entries) {
  ++generation_;
  entries_.assign(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(std::min(entries.size(), kMost)));
  return entries.size() <= kMost;
}

TopicDimensions::Mask TopicDimensions::MaskOf(std::string_view topic, std::string_view client_id) const {
  Mask mask = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto& filters = entries_[i].filters;
    bool any = std::any_of(filters.begin(), filters.end(),
                           [&](const std::string& filter) { return Matches(filter, topic, client_id); });
    if (any) mask |= Mask{1} << i;
  }
  return mask;
}

}  // namespace fleetward::plugin
