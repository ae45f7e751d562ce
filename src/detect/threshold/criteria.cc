#include "threshold/criteria.h"

#include <algorithm>

namespace fleetward::detect {
namespace {

using model::ComparisonOperator;

/// `conforms(i)` says whether element i is on the right side.
template <class Conforms>
ListFinding Judge(std::size_t size, Conforms conforms) {
  ListFinding finding;
  finding.elements = static_cast<std::uint32_t>(size);
  for (std::size_t i = 0; i < size; ++i) {
    if (conforms(i)) continue;
    if (finding.offending++ == 0) finding.first_offending = static_cast<std::uint32_t>(i);
  }
  return finding;
}

bool NeedsInside(ComparisonOperator op) {
  return op == ComparisonOperator::kInCidrSet || op == ComparisonOperator::kInPortSet ||
         op == ComparisonOperator::kInSet;
}

}  // namespace

NumericLimit NumericLimit::Of(ComparisonOperator op, const model::MetricValue& threshold) {
  if (auto* count = std::get_if<model::Count>(&threshold)) return {op, count->value};
  if (auto* number = std::get_if<model::Number>(&threshold)) return {op, number->value};
  return {op, std::int64_t{0}};
}

PortSet::PortSet(const model::Ports& ports) {
  if (ports.empty()) return;
  words_.resize((*std::max_element(ports.begin(), ports.end()) >> 6) + 1);
  for (std::uint16_t port : ports) words_[port >> 6] |= std::uint64_t{1} << (port & 63);
}

StaticCriteria::StaticCriteria(const model::BehaviorCriteria& criteria) {
  ComparisonOperator op = criteria.comparison_operator.value_or(ComparisonOperator::kLessThan);
  inside_ = NeedsInside(op);
  limit_ = NumericLimit::Of(op, criteria.value);
  if (auto* ports = std::get_if<model::Ports>(&criteria.value)) ports_ = PortSet(*ports);
  if (auto* cidrs = std::get_if<model::Cidrs>(&criteria.value)) prefixes_ = PrefixSet(*cidrs);
  if (auto* numbers = std::get_if<model::Numbers>(&criteria.value)) numbers_ = *numbers;
  if (auto* strings = std::get_if<model::Strings>(&criteria.value)) strings_ = *strings;
  std::sort(numbers_.begin(), numbers_.end());
  std::sort(strings_.begin(), strings_.end());
}

ListFinding StaticCriteria::JudgePorts(std::span<const std::uint16_t> ports) const {
  return Judge(ports.size(), [&](std::size_t i) { return ports_.Contains(ports[i]) == inside_; });
}

ListFinding StaticCriteria::JudgeRemotes(std::span<const report::RemoteEndpoint> remotes) const {
  return Judge(remotes.size(), [&](std::size_t i) { return prefixes_.Contains(remotes[i].address) == inside_; });
}

ListFinding StaticCriteria::JudgeAddresses(std::span<const model::IpAddress> addresses) const {
  return Judge(addresses.size(), [&](std::size_t i) { return prefixes_.Contains(addresses[i]) == inside_; });
}

ListFinding StaticCriteria::JudgePrefixes(std::span<const model::IpPrefix> prefixes) const {
  return Judge(prefixes.size(), [&](std::size_t i) {
    return inside_ ? prefixes_.ContainsAll(prefixes[i]) : !prefixes_.Overlaps(prefixes[i]);
  });
}

ListFinding StaticCriteria::JudgeNumbers(std::span<const double> numbers) const {
  return Judge(numbers.size(), [&](std::size_t i) {
    return std::binary_search(numbers_.begin(), numbers_.end(), numbers[i]) == inside_;
  });
}

ListFinding StaticCriteria::JudgeStrings(const report::CustomMetrics::View& list) const {
  return Judge(list.string_count(), [&](std::size_t i) {
    return std::binary_search(strings_.begin(), strings_.end(), list.string(i), std::less<>()) == inside_;
  });
}

}  // namespace fleetward::detect
