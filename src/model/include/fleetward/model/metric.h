// The metric catalogue: what devices and the broker measure, as data (reference: detect.md §1).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fleetward/model/ip_address.h"
#include "fleetward/model/names.h"

namespace fleetward::model {

/// Kind of value, named as the members of the API's MetricValue.
enum class ValueKind : std::uint8_t { kCount, kCidrs, kPorts, kNumber, kNumbers, kStrings };

/// Who measures: the broker, the device's standard report, or the device's custom metrics.
enum class MetricSide : std::uint8_t { kCloud, kDevice, kCustom };

/// Built-in metrics. The numbers are stored: never change them.
enum class BuiltinMetric : std::uint8_t {
  kMessageByteSize = 0,
  kNumMessagesSent = 1,
  kNumMessagesReceived = 2,
  kNumAuthorizationFailures = 3,
  kSourceIpAddress = 4,
  kNumConnectionAttempts = 5,
  kNumDisconnects = 6,
  kDisconnectDuration = 7,
  kAllBytesIn = 8,
  kAllBytesOut = 9,
  kAllPacketsIn = 10,
  kAllPacketsOut = 11,
  kNumListeningTcpPorts = 12,
  kNumListeningUdpPorts = 13,
  kNumEstablishedTcpConnections = 14,
  kListeningTcpPorts = 15,
  kListeningUdpPorts = 16,
  kDestinationIpAddresses = 17,
  kReportSilence = 18,     // of our own: seconds since the thing's last report
};
inline constexpr std::uint32_t kBuiltinMetricCount = 19;

/// Identifies a metric in engines and stores: a BuiltinMetric below kFirstCustomMetric, else a number which the
/// registry gave to a custom metric at its creation and never gives again.
using MetricId = std::uint32_t;
inline constexpr MetricId kFirstCustomMetric = 64;

constexpr MetricId IdOf(BuiltinMetric metric) { return static_cast<MetricId>(metric); }

struct MetricInfo {
  BuiltinMetric id;
  std::string_view name;   // "aws:all-bytes-out"
  ValueKind kind;
  MetricSide side;
  bool delta;              // covers the time since the thing's previous report (D4)
  bool needs_duration;     // durationSeconds is required for static criteria
  bool statistical;        // statisticalThreshold is allowed
  bool ml;                 // mlDetectionConfig is allowed
  bool dimension;          // TOPIC_FILTER dimensions are allowed
  std::string_view unit;
};

/// All built-in metrics, in the order of their ids.
std::span<const MetricInfo> BuiltinMetrics();
const MetricInfo* FindBuiltinMetric(std::string_view name);
const MetricInfo& InfoOf(BuiltinMetric metric);

/// Type of a custom metric, as in CreateCustomMetric.
enum class CustomMetricType : std::uint8_t { kStringList, kIpAddressList, kNumberList, kNumber };
std::string_view CustomMetricTypeName(CustomMetricType type);  // "number-list"
std::optional<CustomMetricType> ParseCustomMetricType(std::string_view name);
ValueKind KindOf(CustomMetricType type);

using Cidrs = std::vector<IpPrefix>;
using Ports = std::vector<std::uint16_t>;
using Numbers = std::vector<double>;
using Strings = std::vector<std::string>;
struct Count { std::int64_t value = 0; auto operator<=>(const Count&) const = default; };
struct Number { double value = 0; auto operator<=>(const Number&) const = default; };

/// One measured value. The alternative is the kind; monostate is "no value" (alarm-invalidated events).
using MetricValue = std::variant<std::monostate, Count, Cidrs, Ports, Number, Numbers, Strings>;

}  // namespace fleetward::model
