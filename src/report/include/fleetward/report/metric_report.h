// What one metric report of a device says (reference: agent-protocol.md §2), free of its wire form. Reusable: Clear()
// keeps every buffer, so a decoder that is handed the same object again allocates nothing once it is warm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/model/ip_address.h"
#include "fleetward/model/metric.h"

namespace fleetward::report {

/// Wire form: which of the topics `…/metrics/json` and `…/metrics/cbor` a report or its answer travels on.
enum class Format : std::uint8_t { kJson, kCbor };

/// Limits of a report; what exceeds one is malformed. Ports and connections are bounded by the payload alone.
inline constexpr std::size_t kMaxPayloadBytes = 128 * 1024;
inline constexpr std::size_t kMaxCustomMetrics = 100;
inline constexpr std::size_t kMaxCustomNameBytes = 128;
inline constexpr std::size_t kMaxListValues = 1000;    // of a custom metric
inline constexpr std::size_t kMaxStringBytes = 1024;   // of a string-list value
inline constexpr std::size_t kMaxDepth = 16;           // of objects and arrays

/// Counters since the device's previous report; absent is not zero.
struct NetworkStats {
  std::optional<std::int64_t> bytes_in;
  std::optional<std::int64_t> bytes_out;
  std::optional<std::int64_t> packets_in;
  std::optional<std::int64_t> packets_out;

  bool any() const { return bytes_in || bytes_out || packets_in || packets_out; }
  bool operator==(const NetworkStats&) const = default;
};

/// Listening ports of one protocol. An empty list that was sent (listed, no ports) differs from no list at all.
struct PortList {
  bool listed = false;                    // the report carried a list
  std::vector<std::uint16_t> ports;       // ascending, each once
  std::uint32_t entries = 0;              // length of the list as sent, before duplicates were folded
  std::optional<std::int64_t> total;      // the device's own count; may exceed the list (agents sample)

  /// Value of the count metric: `total`, else the length of the list, else nothing.
  std::optional<std::int64_t> Count() const {
    return total ? total : listed ? std::optional<std::int64_t>(entries) : std::nullopt;
  }
  /// For writers: one list entry; Finish() puts `ports` in order and folds duplicates.
  void Add(std::uint16_t port) {
    listed = true;
    ++entries;
    ports.push_back(port);
  }
  void Finish();
  void Clear();
  bool operator==(const PortList&) const = default;
};

struct RemoteEndpoint {
  model::IpAddress address;
  std::uint16_t port = 0;                 // 0: the device did not say
  auto operator<=>(const RemoteEndpoint&) const = default;
};

/// ESTABLISHED TCP connections, in the order sent, duplicates kept.
struct ConnectionList {
  bool listed = false;
  std::vector<RemoteEndpoint> remotes;
  std::optional<std::int64_t> total;

  std::optional<std::int64_t> Count() const {
    return total ? total : listed ? std::optional<std::int64_t>(remotes.size()) : std::nullopt;
  }
  void Clear();
  bool operator==(const ConnectionList&) const = default;
};

/// Why a custom metric of an accepted report has no value. Stored: never change the numbers.
enum class CustomFault : std::uint8_t { kNone = 0, kBadAddress = 1 };

/// The custom metrics of a report in the order sent. Values lie in pools shared by all of them; views stay valid until
/// the next change.
class CustomMetrics {
 public:
  class View {
   public:
    std::string_view name() const;
    model::CustomMetricType type() const { return owner_->entries_[index_].type; }
    CustomFault fault() const { return owner_->entries_[index_].fault; }  // not kNone: there is no value
    double number() const;                                // kNumber
    std::span<const double> numbers() const;              // kNumberList
    std::span<const model::IpPrefix> addresses() const;   // kIpAddressList; plain addresses have length 128
    std::size_t string_count() const;                     // kStringList
    std::string_view string(std::size_t index) const;

   private:
    friend class CustomMetrics;
    View(const CustomMetrics& owner, std::size_t index) : owner_(&owner), index_(index) {}
    const CustomMetrics* owner_;
    std::size_t index_;
  };

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  View operator[](std::size_t index) const { return View(*this, index); }
  /// Nothing when there is no metric of this name.
  std::optional<View> Find(std::string_view name) const;

  /// Opens a metric; the following Add calls are its values and must fit `type` (one number for kNumber).
  void Begin(std::string_view name, model::CustomMetricType type);
  void AddNumber(double value);
  void AddString(std::string_view value);
  void AddAddress(const model::IpPrefix& value);
  /// Drops the values of the metric opened last and notes why.
  void SetFault(CustomFault fault);
  void Clear();

  bool operator==(const CustomMetrics& other) const;

 private:
  struct Entry {
    std::uint32_t name_begin = 0, name_size = 0;  // in text_
    std::uint32_t begin = 0, count = 0;           // in the pool of its type
    model::CustomMetricType type = model::CustomMetricType::kNumber;
    CustomFault fault = CustomFault::kNone;
  };
  struct Slice {
    std::uint32_t begin = 0, size = 0;            // in text_
  };
  std::vector<Entry> entries_;
  std::vector<double> numbers_;
  std::vector<Slice> strings_;
  std::vector<model::IpPrefix> addresses_;
  std::string text_;
};

inline std::span<const double> CustomMetrics::View::numbers() const {
  const Entry& entry = owner_->entries_[index_];
  if (entry.type != model::CustomMetricType::kNumber && entry.type != model::CustomMetricType::kNumberList) return {};
  return {owner_->numbers_.data() + entry.begin, entry.count};
}

inline double CustomMetrics::View::number() const {
  auto values = numbers();
  return values.empty() ? 0 : values.front();
}

struct MetricReport {
  std::optional<std::uint64_t> report_id;             // set in every accepted report, and in a refused one if readable
  std::uint16_t version_major = 1;
  std::uint16_t version_minor = 0;
  std::optional<std::int64_t> spooled_at_seconds;     // D15: epoch seconds of the sample
  NetworkStats network;
  PortList tcp;
  PortList udp;
  ConnectionList connections;
  CustomMetrics custom;

  void Clear();
  bool operator==(const MetricReport&) const = default;
};

/// Value of a count metric (`aws:all-bytes-in` … `aws:num-established-tcp-connections`); nothing when the report has
/// none, or the metric is no device-side count. Allocates nothing.
inline std::optional<std::int64_t> CountOf(const MetricReport& report, model::BuiltinMetric metric) {
  using model::BuiltinMetric;
  switch (metric) {
    case BuiltinMetric::kAllBytesIn: return report.network.bytes_in;
    case BuiltinMetric::kAllBytesOut: return report.network.bytes_out;
    case BuiltinMetric::kAllPacketsIn: return report.network.packets_in;
    case BuiltinMetric::kAllPacketsOut: return report.network.packets_out;
    case BuiltinMetric::kNumListeningTcpPorts: return report.tcp.Count();
    case BuiltinMetric::kNumListeningUdpPorts: return report.udp.Count();
    case BuiltinMetric::kNumEstablishedTcpConnections: return report.connections.Count();
    default: return std::nullopt;
  }
}

/// Value of any device-side metric as the API shows it; monostate when the report has none. Destination addresses are
/// ascending, each once, as full-length prefixes.
model::MetricValue ValueOf(const MetricReport& report, model::BuiltinMetric metric);

/// Value of a custom metric; monostate when it has a fault.
model::MetricValue ValueOf(const CustomMetrics::View& metric);

}  // namespace fleetward::report
