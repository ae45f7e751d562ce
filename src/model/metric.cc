#include "fleetward/model/metric.h"

#include <array>

namespace fleetward::model {
namespace {

using enum ValueKind;
using enum MetricSide;
using B = BuiltinMetric;

// id, name, kind, side, delta, needs_duration, statistical, ml, dimension, unit (detect.md §1)
constexpr std::array<MetricInfo, kBuiltinMetricCount> kMetrics = {{
    {B::kMessageByteSize, "aws:message-byte-size", kCount, kCloud, false, false, true, true, true, "bytes"},
    {B::kNumMessagesSent, "aws:num-messages-sent", kCount, kCloud, false, true, true, true, true, "messages"},
    {B::kNumMessagesReceived, "aws:num-messages-received", kCount, kCloud, false, true, true, true, true, "messages"},
    {B::kNumAuthorizationFailures, "aws:num-authorization-failures", kCount, kCloud, false, true, true, true, true,
     "failures"},
    {B::kSourceIpAddress, "aws:source-ip-address", kCidrs, kCloud, false, false, false, false, true, ""},
    {B::kNumConnectionAttempts, "aws:num-connection-attempts", kCount, kCloud, false, true, true, true, false,
     "attempts"},
    {B::kNumDisconnects, "aws:num-disconnects", kCount, kCloud, false, true, true, true, false, "disconnects"},
    {B::kDisconnectDuration, "aws:disconnect-duration", kCount, kCloud, false, false, false, false, false, "minutes"},
    {B::kAllBytesIn, "aws:all-bytes-in", kCount, kDevice, true, true, true, true, false, "bytes"},
    {B::kAllBytesOut, "aws:all-bytes-out", kCount, kDevice, true, true, true, true, false, "bytes"},
    {B::kAllPacketsIn, "aws:all-packets-in", kCount, kDevice, true, true, true, true, false, "packets"},
    {B::kAllPacketsOut, "aws:all-packets-out", kCount, kDevice, true, true, true, true, false, "packets"},
    {B::kNumListeningTcpPorts, "aws:num-listening-tcp-ports", kCount, kDevice, false, true, true, true, false, "ports"},
    {B::kNumListeningUdpPorts, "aws:num-listening-udp-ports", kCount, kDevice, false, true, true, true, false, "ports"},
    {B::kNumEstablishedTcpConnections, "aws:num-established-tcp-connections", kCount, kDevice, false, false, true,
     true, false, "connections"},
    {B::kListeningTcpPorts, "aws:listening-tcp-ports", kPorts, kDevice, false, false, false, false, false, ""},
    {B::kListeningUdpPorts, "aws:listening-udp-ports", kPorts, kDevice, false, false, false, false, false, ""},
    {B::kDestinationIpAddresses, "aws:destination-ip-addresses", kCidrs, kDevice, false, false, false, false, false,
     ""},
    {B::kReportSilence, "fleetward:report-silence", kCount, kCloud, false, false, false, false, false, "seconds"},
}};

}  // namespace

std::span<const MetricInfo> BuiltinMetrics() { return kMetrics; }

const MetricInfo* FindBuiltinMetric(std::string_view name) {
  for (const MetricInfo& info : kMetrics) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

const MetricInfo& InfoOf(BuiltinMetric metric) { return kMetrics[static_cast<std::size_t>(metric)]; }

std::string_view CustomMetricTypeName(CustomMetricType type) {
  switch (type) {
    case CustomMetricType::kStringList: return "string-list";
    case CustomMetricType::kIpAddressList: return "ip-address-list";
    case CustomMetricType::kNumberList: return "number-list";
    case CustomMetricType::kNumber: return "number";
  }
  return "";
}

std::optional<CustomMetricType> ParseCustomMetricType(std::string_view name) {
  for (auto type : {CustomMetricType::kStringList, CustomMetricType::kIpAddressList, CustomMetricType::kNumberList,
                    CustomMetricType::kNumber}) {
    if (CustomMetricTypeName(type) == name) return type;
  }
  return std::nullopt;
}

ValueKind KindOf(CustomMetricType type) {
  switch (type) {
    case CustomMetricType::kStringList: return kStrings;
    case CustomMetricType::kIpAddressList: return kCidrs;
    case CustomMetricType::kNumberList: return kNumbers;
    case CustomMetricType::kNumber: return kNumber;
  }
  return kNumber;
}

}  // namespace fleetward::model
