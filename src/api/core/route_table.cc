#include "route_table.h"

#include <algorithm>

#include "fleetward/base/encoding.h"

namespace fleetward::api {
namespace {

constexpr std::size_t kMaxMembers = 10'000;

std::vector<std::string_view> Split(std::string_view path) {
  std::vector<std::string_view> parts;
  std::size_t at = 0;
  while (at < path.size()) {
    std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at) parts.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::string StartKey(std::string_view method, std::string_view first) {
  return std::string(method) + " " + std::string(first);
}

/// What a greedy label takes: from its first segment to the end of the path.
std::string_view Rest(std::string_view path, std::string_view first) {
  return path.substr(static_cast<std::size_t>(first.data() - path.data()));
}

}  // namespace

void RouteTable::Add(const OperationInfo& operation) {
  if (operation.protocol != Protocol::kRestJson) return;
  Route route{&operation, {}};
  for (std::string_view part : Split(operation.uri)) {
    Segment segment;
    if (part.front() == '{' && part.back() == '}') {
      part = part.substr(1, part.size() - 2);
      segment.label = true;
      segment.greedy = part.ends_with('+');
      if (segment.greedy) part.remove_suffix(1);
    }
    segment.text = part;
    route.segments.push_back(std::move(segment));
  }
  std::string first = route.segments.empty() ? "" : route.segments[0].text;
  auto& routes = by_start_[StartKey(operation.method, first)];
  routes.push_back(std::move(route));
  std::stable_sort(routes.begin(), routes.end(), MoreLiteral);
}

bool RouteTable::MoreLiteral(const Route& a, const Route& b) {
  std::size_t shared = std::min(a.segments.size(), b.segments.size());
  for (std::size_t i = 0; i < shared; ++i) {
    if (a.segments[i].label != b.segments[i].label) return b.segments[i].label;
    if (a.segments[i].greedy != b.segments[i].greedy) return b.segments[i].greedy;
  }
  return false;
}

bool RouteTable::Fits(const Route& route, const std::vector<std::string_view>& parts) {
  const auto& segments = route.segments;
  bool greedy = !segments.empty() && segments.back().greedy;
  if (greedy ? parts.size() < segments.size() : parts.size() != segments.size()) return false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (!segments[i].label && segments[i].text != parts[i]) return false;
  }
  return true;
}

Result<RouteMatch> RouteTable::Match(std::string_view method, std::string_view path) const {
  std::vector<std::string_view> parts = Split(path);
  RouteMatch match;
  if (parts.empty()) return match;
  for (std::string_view part : parts) {
    if (part == "." || part == "..") return match;
  }
  auto routes = by_start_.find(StartKey(method, parts[0]));
  if (routes == by_start_.end()) return match;
  for (const Route& route : routes->second) {
    if (!Fits(route, parts)) continue;
    match.operation = route.operation;
    for (std::size_t i = 0; i < route.segments.size(); ++i) {
      const Segment& segment = route.segments[i];
      if (!segment.label) continue;
      std::optional<std::string> value = PercentDecode(segment.greedy ? Rest(path, parts[i]) : parts[i]);
      if (!value) return Error(Code::kInvalidArgument, segment.text + ": the path is not well percent-encoded");
      match.labels.emplace_back(segment.text, std::move(*value));
    }
    return match;
  }
  return match;
}

Result<std::vector<NameValue>> DecodeForm(std::string_view text) {
  std::vector<NameValue> members;
  while (!text.empty()) {
    std::size_t end = text.find('&');
    std::string_view member = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (member.empty()) continue;
    if (members.size() == kMaxMembers) return Error(Code::kInvalidArgument, "The request has too many parameters");
    std::size_t equals = member.find('=');
    std::string_view raw = equals == std::string_view::npos ? std::string_view() : member.substr(equals + 1);
    std::optional<std::string> name = PercentDecode(member.substr(0, equals), /*plus_is_space=*/true);
    std::optional<std::string> value = PercentDecode(raw, /*plus_is_space=*/true);
    if (!name || !value) return Error(Code::kInvalidArgument, "The parameters are not well percent-encoded");
    members.emplace_back(std::move(*name), std::move(*value));
  }
  return members;
}

}  // namespace fleetward::api
