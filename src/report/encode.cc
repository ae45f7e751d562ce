#include "fleetward/report/encode.h"

#include <cmath>

#include "wire_writer.h"

namespace fleetward::report {
namespace {

using model::CustomMetricType;

std::string PrefixText(const model::IpPrefix& prefix) {
  std::string text = prefix.address.ToString();
  if (prefix.length < 128) text += "/" + std::to_string(prefix.address.IsV4() ? prefix.length - 96 : prefix.length);
  return text;
}

/// Whether the metric has a value that a report can carry.
bool Sendable(const CustomMetrics::View& metric) {
  if (metric.fault() != CustomFault::kNone) return false;
  for (double number : metric.numbers()) {
    if (!std::isfinite(number)) return false;
  }
  return metric.type() != CustomMetricType::kNumber || !metric.numbers().empty();
}

template <class Writer>
class Encoder {
 public:
  Encoder(Writer writer, Names names) : writer_(writer), short_(names == Names::kShort) {}

  void Report(const MetricReport& report) {
    std::size_t custom = 0;
    for (std::size_t i = 0; i < report.custom.size(); ++i) custom += Sendable(report.custom[i]);
    writer_.BeginObject(custom > 0 ? 3 : 2);
    Header(report);
    Metrics(report);
    if (custom > 0) {
      Key("custom_metrics", "cmet");
      writer_.BeginObject(custom);
      for (std::size_t i = 0; i < report.custom.size(); ++i) {
        if (Sendable(report.custom[i])) Custom(report.custom[i]);
      }
      writer_.EndObject();
    }
    writer_.EndObject();
  }

 private:
  void Key(std::string_view long_name, std::string_view short_name) { writer_.Key(short_ ? short_name : long_name); }

  void Header(const MetricReport& report) {
    Key("header", "hed");
    writer_.BeginObject(report.spooled_at_seconds ? 3 : 2);
    Key("report_id", "rid");
    writer_.Unsigned(report.report_id.value_or(0));
    Key("version", "v");
    writer_.Text(std::to_string(report.version_major) + "." + std::to_string(report.version_minor));
    if (report.spooled_at_seconds) Count("spooled_at", "spooled_at", report.spooled_at_seconds);
    writer_.EndObject();
  }

  void Metrics(const MetricReport& report) {
    const bool tcp = report.tcp.listed || report.tcp.total;
    const bool udp = report.udp.listed || report.udp.total;
    const bool connections = report.connections.listed || report.connections.total;
    Key("metrics", "met");
    writer_.BeginObject(std::size_t{tcp} + udp + connections + report.network.any());
    if (tcp) Listening("listening_tcp_ports", "tp", report.tcp);
    if (udp) Listening("listening_udp_ports", "up", report.udp);
    if (report.network.any()) Network(report.network);
    if (connections) Connections(report.connections);
    writer_.EndObject();
  }

  void Count(std::string_view long_name, std::string_view short_name, std::optional<std::int64_t> value) {
    if (!value) return;
    Key(long_name, short_name);
    writer_.Unsigned(static_cast<std::uint64_t>(*value));
  }

  void Listening(std::string_view long_name, std::string_view short_name, const PortList& list) {
    Key(long_name, short_name);
    writer_.BeginObject(std::size_t{list.listed} + list.total.has_value());
    if (list.listed) {
      Key("ports", "pts");
      writer_.BeginArray(list.ports.size());
      for (std::uint16_t port : list.ports) {
        writer_.BeginObject(1);
        Key("port", "pt");
        writer_.Unsigned(port);
        writer_.EndObject();
      }
      writer_.EndArray();
    }
    Count("total", "t", list.total);
    writer_.EndObject();
  }

  void Network(const NetworkStats& network) {
    Key("network_stats", "ns");
    writer_.BeginObject(std::size_t{network.bytes_in.has_value()} + network.bytes_out.has_value() +
                        network.packets_in.has_value() + network.packets_out.has_value());
    Count("bytes_in", "bi", network.bytes_in);
    Count("bytes_out", "bo", network.bytes_out);
    Count("packets_in", "pi", network.packets_in);
    Count("packets_out", "po", network.packets_out);
    writer_.EndObject();
  }

  void Connections(const ConnectionList& list) {
    Key("tcp_connections", "tc");
    writer_.BeginObject(1);
    Key("established_connections", "ec");
    writer_.BeginObject(std::size_t{list.listed} + list.total.has_value());
    if (list.listed) {
      Key("connections", "cs");
      writer_.BeginArray(list.remotes.size());
      for (const RemoteEndpoint& remote : list.remotes) Remote(remote);
      writer_.EndArray();
    }
    Count("total", "t", list.total);
    writer_.EndObject();
    writer_.EndObject();
  }

  void Remote(const RemoteEndpoint& remote) {
    std::string text = remote.address.ToString();
    if (!remote.address.IsV4()) text = "[" + text + "]";
    text += ':';
    text += std::to_string(remote.port);
    writer_.BeginObject(1);
    Key("remote_addr", "rad");
    writer_.Text(text);
    writer_.EndObject();
  }

  void Custom(const CustomMetrics::View& metric) {
    writer_.Key(metric.name());
    writer_.BeginArray(1);
    writer_.BeginObject(1);
    switch (metric.type()) {
      case CustomMetricType::kNumber:
        writer_.Key("number");
        writer_.Double(metric.number());
        break;
      case CustomMetricType::kNumberList:
        writer_.Key("number_list");
        writer_.BeginArray(metric.numbers().size());
        for (double number : metric.numbers()) writer_.Double(number);
        writer_.EndArray();
        break;
      case CustomMetricType::kStringList:
        writer_.Key("string_list");
        writer_.BeginArray(metric.string_count());
        for (std::size_t i = 0; i < metric.string_count(); ++i) writer_.Text(metric.string(i));
        writer_.EndArray();
        break;
      case CustomMetricType::kIpAddressList:
        writer_.Key("ip_list");
        writer_.BeginArray(metric.addresses().size());
        for (const model::IpPrefix& address : metric.addresses()) writer_.Text(PrefixText(address));
        writer_.EndArray();
        break;
    }
    writer_.EndObject();
    writer_.EndArray();
  }

  Writer writer_;
  bool short_;
};

}  // namespace

void EncodeReport(const MetricReport& report, Format format, Names names, std::string& out) {
  out.clear();
  if (format == Format::kJson) {
    Encoder<JsonWriter>(JsonWriter(out), names).Report(report);
  } else {
    Encoder<CborWriter>(CborWriter(out), names).Report(report);
  }
}

}  // namespace fleetward::report
