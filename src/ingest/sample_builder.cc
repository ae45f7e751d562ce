#include "sample_builder.h"

#include <algorithm>

namespace fleetward::ingest {
namespace {

using model::BuiltinMetric;
using telemetry::SeriesKey;

SeriesKey Key(BuiltinMetric metric) { return {model::IdOf(metric), 0}; }

void AddCounts(const report::MetricReport& report, telemetry::Sample& sample) {
  static constexpr BuiltinMetric kCounts[] = {
      BuiltinMetric::kAllBytesIn,           BuiltinMetric::kAllBytesOut,          BuiltinMetric::kAllPacketsIn,
      BuiltinMetric::kAllPacketsOut,        BuiltinMetric::kNumListeningTcpPorts, BuiltinMetric::kNumListeningUdpPorts,
      BuiltinMetric::kNumEstablishedTcpConnections};
  for (BuiltinMetric metric : kCounts) {
    if (auto value = report::CountOf(report, metric)) sample.AddCount(Key(metric), *value);
  }
}

void AddConnections(const report::ConnectionList& connections, telemetry::Sample& sample) {
  if (!connections.listed) return;
  std::vector<model::IpAddress> addresses;
  std::vector<std::uint16_t> ports;
  addresses.reserve(connections.remotes.size());
  ports.reserve(connections.remotes.size());
  for (const auto& remote : connections.remotes) {
    addresses.push_back(remote.address);
    ports.push_back(remote.port);
  }
  sample.AddPorts({telemetry::kAuxDestinationPorts, 0}, ports);
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  sample.AddAddresses(Key(BuiltinMetric::kDestinationIpAddresses), addresses);
}

void AddCustom(const report::CustomMetrics& custom, const CustomMetricTable& customs, telemetry::Sample& sample,
               std::vector<std::string>& faults) {
  for (std::size_t i = 0; i < custom.size(); ++i) {
    auto view = custom[i];
    std::string name(view.name());
    std::string type(model::CustomMetricTypeName(view.type()));
    auto declared = customs.find(name);
    if (declared == customs.end()) {
      faults.push_back("custom metric " + name + " (" + type + ") is not declared; create it with create-custom-metric");
    } else if (declared->second.type != view.type()) {
      faults.push_back("custom metric " + name + " was sent as " + type + " but declared as " +
                       std::string(model::CustomMetricTypeName(declared->second.type)));
    } else if (view.fault() != report::CustomFault::kNone) {
      faults.push_back("custom metric " + name + " holds a text that is no IP address");
    } else {
      sample.Add({declared->second.id, 0}, report::ValueOf(view));
    }
  }
}

}  // namespace

void FillSample(const report::MetricReport& report, const CustomMetricTable& customs, telemetry::Sample& sample,
                std::vector<std::string>& faults) {
  AddCounts(report, sample);
  if (report.tcp.listed) sample.AddPorts(Key(BuiltinMetric::kListeningTcpPorts), report.tcp.ports);
  if (report.udp.listed) sample.AddPorts(Key(BuiltinMetric::kListeningUdpPorts), report.udp.ports);
  AddConnections(report.connections, sample);
  AddCustom(report.custom, customs, sample, faults);
}

void FillSample(const OpenBucket& bucket, telemetry::Sample& sample) {
  auto add = [&](BuiltinMetric metric, std::uint64_t value) {
    sample.AddCount(Key(metric), static_cast<std::int64_t>(value));
  };
  if (bucket.messages_sent > 0) add(BuiltinMetric::kMessageByteSize, bucket.max_payload);
  add(BuiltinMetric::kNumMessagesSent, bucket.messages_sent);
  add(BuiltinMetric::kNumMessagesReceived, bucket.messages_received);
  add(BuiltinMetric::kNumAuthorizationFailures, bucket.authorization_failures);
  add(BuiltinMetric::kNumConnectionAttempts, bucket.connection_attempts);
  add(BuiltinMetric::kNumDisconnects, bucket.disconnects);
  if (!bucket.source_ips.empty()) sample.AddAddresses(Key(BuiltinMetric::kSourceIpAddress), bucket.source_ips);
}

void FillSample(const OpenBucket& bucket, telemetry::SeriesKey key, telemetry::Sample& sample) {
  static const TopicBucket kNothing;
  auto found = std::find_if(bucket.topics.begin(), bucket.topics.end(),
                            [&](const TopicBucket& each) { return each.series == key.dimension; });
  if (found == bucket.topics.end() && bucket.topics.size() == kMaxTopicBuckets) return;  // it may have found no room
  const TopicBucket& topics = found == bucket.topics.end() ? kNothing : *found;
  auto add = [&](std::uint64_t value) { sample.AddCount(key, static_cast<std::int64_t>(value)); };
  if (key.metric == model::IdOf(BuiltinMetric::kNumMessagesSent)) {
    add(topics.messages_sent);
  } else if (key.metric == model::IdOf(BuiltinMetric::kNumMessagesReceived)) {
    add(topics.messages_received);
  } else if (key.metric == model::IdOf(BuiltinMetric::kNumAuthorizationFailures)) {
    add(topics.authorization_failures);
  } else if (key.metric == model::IdOf(BuiltinMetric::kMessageByteSize)) {
    if (topics.messages_sent > 0) add(topics.max_payload);
  } else if (key.metric == model::IdOf(BuiltinMetric::kSourceIpAddress)) {
    if (!topics.source_ips.empty()) sample.AddAddresses(key, topics.source_ips);
  }
}

}  // namespace fleetward::ingest
