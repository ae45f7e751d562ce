#include "fleetward/report/metric_report.h"

#include <algorithm>
#include <array>
#include <functional>

namespace fleetward::report {

using model::BuiltinMetric;
using model::CustomMetricType;

namespace {

constexpr std::size_t kShortList = 12;

/// Sorts a short list by counting for each port the ones before it: no branch depends on the (random) ports.
void SortShort(std::vector<std::uint16_t>& ports) {
  std::array<std::uint16_t, kShortList> from{}, sorted{};
  std::array<std::uint8_t, kShortList> rank{};
  const std::size_t size = ports.size();
  std::copy_n(ports.data(), size, from.begin());
  for (std::size_t i = 1; i < size; ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      const bool later = from[k] <= from[i];
      rank[i] += later;
      rank[k] += !later;
    }
  }
  for (std::size_t i = 0; i < size; ++i) sorted[rank[i]] = from[i];
  std::copy_n(sorted.begin(), size, ports.data());
}

}  // namespace

void PortList::Finish() {
  if (ports.size() <= kShortList) {
    SortShort(ports);
  } else {
    if (std::adjacent_find(ports.begin(), ports.end(), std::greater_equal<>()) == ports.end()) return;
    std::sort(ports.begin(), ports.end());
  }
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
}

void PortList::Clear() {
  listed = false;
  ports.clear();
  entries = 0;
  total.reset();
}

void ConnectionList::Clear() {
  listed = false;
  remotes.clear();
  total.reset();
}

void MetricReport::Clear() {
  report_id.reset();
  version_major = 1;
  version_minor = 0;
  spooled_at_seconds.reset();
  network = {};
  tcp.Clear();
  udp.Clear();
  connections.Clear();
  custom.Clear();
}

std::string_view CustomMetrics::View::name() const {
  const Entry& entry = owner_->entries_[index_];
  return std::string_view(owner_->text_).substr(entry.name_begin, entry.name_size);
}

std::span<const model::IpPrefix> CustomMetrics::View::addresses() const {
  const Entry& entry = owner_->entries_[index_];
  if (entry.type != CustomMetricType::kIpAddressList) return {};
  return {owner_->addresses_.data() + entry.begin, entry.count};
}

std::size_t CustomMetrics::View::string_count() const {
  const Entry& entry = owner_->entries_[index_];
  return entry.type == CustomMetricType::kStringList ? entry.count : 0;
}

std::string_view CustomMetrics::View::string(std::size_t index) const {
  const Slice& slice = owner_->strings_[owner_->entries_[index_].begin + index];
  return std::string_view(owner_->text_).substr(slice.begin, slice.size);
}

std::optional<CustomMetrics::View> CustomMetrics::Find(std::string_view name) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    if (entry.name_size != name.size()) continue;
    if (std::equal(name.begin(), name.end(), text_.data() + entry.name_begin)) return (*this)[i];
  }
  return std::nullopt;
}

void CustomMetrics::Begin(std::string_view name, CustomMetricType type) {
  Entry entry;
  entry.name_begin = static_cast<std::uint32_t>(text_.size());
  entry.name_size = static_cast<std::uint32_t>(name.size());
  entry.type = type;
  std::size_t begin = numbers_.size();
  if (type == CustomMetricType::kStringList) begin = strings_.size();
  if (type == CustomMetricType::kIpAddressList) begin = addresses_.size();
  entry.begin = static_cast<std::uint32_t>(begin);
  text_.append(name);
  entries_.push_back(entry);
}

void CustomMetrics::AddNumber(double value) {
  numbers_.push_back(value);
  ++entries_.back().count;
}

void CustomMetrics::AddString(std::string_view value) {
  strings_.push_back({static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(value.size())});
  text_.append(value);
  ++entries_.back().count;
}

void CustomMetrics::AddAddress(const model::IpPrefix& value) {
  addresses_.push_back(value);
  ++entries_.back().count;
}

void CustomMetrics::SetFault(CustomFault fault) {
  entries_.back().fault = fault;
  entries_.back().count = 0;
}

void CustomMetrics::Clear() {
  entries_.clear();
  numbers_.clear();
  strings_.clear();
  addresses_.clear();
  text_.clear();
}

bool CustomMetrics::operator==(const CustomMetrics& other) const {
  if (size() != other.size()) return false;
  for (std::size_t i = 0; i < size(); ++i) {
    View a = (*this)[i];
    View b = other[i];
    if (a.name() != b.name() || a.type() != b.type() || a.fault() != b.fault()) return false;
    if (!std::ranges::equal(a.numbers(), b.numbers()) || !std::ranges::equal(a.addresses(), b.addresses())) return false;
    if (a.string_count() != b.string_count()) return false;
    for (std::size_t s = 0; s < a.string_count(); ++s) {
      if (a.string(s) != b.string(s)) return false;
    }
  }
  return true;
}

model::MetricValue ValueOf(const MetricReport& report, BuiltinMetric metric) {
  if (auto count = CountOf(report, metric)) return model::Count{*count};
  switch (metric) {
    case BuiltinMetric::kListeningTcpPorts:
      if (report.tcp.listed) return report.tcp.ports;
      break;
    case BuiltinMetric::kListeningUdpPorts:
      if (report.udp.listed) return report.udp.ports;
      break;
    case BuiltinMetric::kDestinationIpAddresses:
      if (report.connections.listed) {
        model::Cidrs cidrs;
        cidrs.reserve(report.connections.remotes.size());
        for (const RemoteEndpoint& remote : report.connections.remotes) cidrs.push_back({remote.address, 128});
        std::sort(cidrs.begin(), cidrs.end());
        cidrs.erase(std::unique(cidrs.begin(), cidrs.end()), cidrs.end());
        return cidrs;
      }
      break;
    default: break;
  }
  return std::monostate{};
}

model::MetricValue ValueOf(const CustomMetrics::View& metric) {
  if (metric.fault() != CustomFault::kNone) return std::monostate{};
  switch (metric.type()) {
    case CustomMetricType::kNumber: return model::Number{metric.number()};
    case CustomMetricType::kNumberList: return model::Numbers(metric.numbers().begin(), metric.numbers().end());
    case CustomMetricType::kIpAddressList: return model::Cidrs(metric.addresses().begin(), metric.addresses().end());
    case CustomMetricType::kStringList: {
      model::Strings strings;
      strings.reserve(metric.string_count());
      for (std::size_t i = 0; i < metric.string_count(); ++i) strings.emplace_back(metric.string(i));
      return strings;
    }
  }
  return std::monostate{};
}

}  // namespace fleetward::report
