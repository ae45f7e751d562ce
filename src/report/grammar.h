// The one grammar of a report document (agent-protocol.md §2), over either wire form. `Value` offers:
//   Object(f), Array(f)   calls f(key, value) or f(value) for each member; false: no such type, f failed, or broken
//   Unsigned, Double, Text (view valid until the next call), Endpoint (a text that is an address and port), IsNull,
//   IsText, Skip (checks that all of it is well formed)
// and `key` offers Match<names>() -> field or -1, and Text(). Every value that is handed out must be read or skipped.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "endpoint.h"
#include "fleetward/report/metric_report.h"
#include "names.h"

namespace fleetward::report {

inline constexpr std::uint64_t kMaxCount = std::numeric_limits<std::int64_t>::max();
inline constexpr std::uint64_t kMaxEpochSeconds = 253402300799;  // end of the year 9999

class ReportGrammar {
 public:
  explicit ReportGrammar(MetricReport& out) : out_(out) {}

  /// What was wrong with the document, when Document() returned false.
  const char* fault() const { return fault_; }

  template <class Root>
  bool Document(Root& document) {
    unsigned seen = 0;
    bool ok = document.Object([&](auto& key, auto& value) {
      switch (int field = key.template Match<kDocumentNames>()) {
        case kHeader: return Once(seen, field) && Header(value);
        case kMetrics: return Once(seen, field) && Metrics(value);
        case kCustomMetrics: return Once(seen, field) && Custom(value);
        default: return value.Skip();
      }
    });
    if (!ok) return Fault("the document is no well-formed object");
    if (!(seen & 1U << kHeader)) return Fault("header is missing");
    return (seen & (1U << kMetrics | 1U << kCustomMetrics)) != 0 || Fault("neither metrics nor custom_metrics is there");
  }

  template <class Value>
  bool Header(Value& header) {
    unsigned seen = 0;
    bool ok = header.Object([&](auto& key, Value& value) {
      int field = key.template Match<kHeaderNames>();
      if (field < 0) return value.Skip();
      if (!Once(seen, field)) return false;
      std::uint64_t number = 0;
      std::string_view text;
      switch (field) {
        case kReportId:
          if (!Integer(value, std::numeric_limits<std::uint64_t>::max(), number)) {
            return Fault("report_id is no unsigned integer");
          }
          out_.report_id = number;
          return true;
        case kVersion: return (value.Text(text) && Version(text)) || Fault("version is not 1.x");
        default:
          if (!Integer(value, kMaxEpochSeconds, number)) return Fault("spooled_at is no time");
          out_.spooled_at_seconds = static_cast<std::int64_t>(number);
          return true;
      }
    });
    if (!ok) return Fault("header is no object");
    return (seen & 3) == 3 || Fault("header lacks report_id or version");
  }

 private:
  template <class Value>
  bool Metrics(Value& metrics) {
    unsigned seen = 0;
    bool ok = metrics.Object([&](auto& key, Value& value) {
      switch (int field = key.template Match<kMetricsNames>()) {
        case kTcpPorts: return Once(seen, field) && Listening(value, out_.tcp);
        case kUdpPorts: return Once(seen, field) && Listening(value, out_.udp);
        case kNetworkStats: return Once(seen, field) && Network(value);
        case kTcpConnections: return Once(seen, field) && Tcp(value);
        default: return value.Skip();
      }
    });
    return ok || Fault("metrics is no object");
  }

  template <class Value>
  bool Listening(Value& listening, PortList& list) {
    unsigned seen = 0;
    bool ok = listening.Object([&](auto& key, Value& value) {
      switch (int field = key.template Match<kPortListNames>()) {
        case kPorts:
          list.listed = true;
          return Once(seen, field) &&
                 (value.Array([&](Value& entry) { return Port(entry, list); }) || Fault("ports is no array"));
        case kPortsTotal: return Once(seen, field) && Total(value, list.total);
        default: return value.Skip();
      }
    });
    list.Finish();
    return ok || Fault("listening ports are no object");
  }

  template <class Value>
  [[gnu::always_inline]] bool Port(Value& entry, PortList& list) {
    unsigned seen = 0;
    bool ok = entry.Object([&](auto& key, Value& value) __attribute__((always_inline)) {
      int field = key.template Match<kPortNames>();
      if (field == kPort) {
        std::uint64_t port = 0;
        if (!Once(seen, kPort)) return false;
        if (!Integer(value, 65535, port) || port == 0) return Fault("port is no integer from 1 to 65535");
        list.Add(static_cast<std::uint16_t>(port));
        return true;
      }
      return field == kInterface ? Once(seen, kInterface) && TextOrNull(value, "interface is no string") : value.Skip();
    });
    if (!ok) return Fault("an entry of ports is no object");
    return (seen & 1U << kPort) != 0 || Fault("an entry of ports lacks port");
  }

  template <class Value>
  bool Network(Value& network) {
    unsigned seen = 0;
    bool ok = network.Object([&](auto& key, Value& value) __attribute__((always_inline)) {
      int field = key.template Match<kNetworkNames>();
      if (field < 0) return value.Skip();
      std::optional<std::int64_t>* const counters[] = {&out_.network.bytes_in, &out_.network.bytes_out,
                                                       &out_.network.packets_in, &out_.network.packets_out};
      std::uint64_t number = 0;
      if (!Once(seen, field)) return false;
      if (!Integer(value, kMaxCount, number)) return Fault("a member of network_stats is no integer from 0 to 2^63-1");
      *counters[field] = static_cast<std::int64_t>(number);
      return true;
    });
    return ok || Fault("network_stats is no object");
  }

  template <class Value>
  bool Tcp(Value& tcp) {
    unsigned seen = 0;
    bool ok = tcp.Object([&](auto& key, Value& value) {
      int field = key.template Match<kTcpNames>();
      return field == kEstablished ? Once(seen, field) && Established(value) : value.Skip();
    });
    return ok || Fault("tcp_connections is no object");
  }

  template <class Value>
  bool Established(Value& established) {
    unsigned seen = 0;
    ConnectionList& list = out_.connections;
    bool ok = established.Object([&](auto& key, Value& value) {
      switch (int field = key.template Match<kEstablishedNames>()) {
        case kConnections:
          list.listed = true;
          return Once(seen, field) &&
                 (value.Array([&](Value& entry) { return Connection(entry); }) || Fault("connections is no array"));
        case kConnectionsTotal: return Once(seen, field) && Total(value, list.total);
        default: return value.Skip();
      }
    });
    return ok || Fault("established_connections is no object");
  }

  template <class Value>
  [[gnu::always_inline]] bool Connection(Value& entry) {
    unsigned seen = 0;
    bool ok = entry.Object([&](auto& key, Value& value) __attribute__((always_inline)) {
      int field = key.template Match<kConnectionNames>();
      if (field < 0) return value.Skip();
      if (!Once(seen, field)) return false;
      if (field == kLocalInterface) return TextOrNull(value, "local_interface is no string");
      if (field == kLocalPort) return LocalPort(value);
      bool is_text = false;
      if (value.Endpoint(out_.connections.remotes.emplace_back(), is_text)) [[likely]] return true;
      return Fault(is_text ? "remote_addr is no address" : "remote_addr is no string");
    });
    if (!ok) return Fault("an entry of connections is no object");
    return (seen & 1U << kRemoteAddr) != 0 || Fault("an entry of connections lacks remote_addr");
  }

  /// Checked, not kept: no metric is made of it. The C agent sends text in CBOR.
  template <class Value>
  [[gnu::always_inline]] bool LocalPort(Value& value) {
    std::uint64_t port = 0;
    if (value.Unsigned(port)) [[likely]] return port <= 65535 || Fault("local_port is no integer from 0 to 65535");
    return LocalPortAsText(value);
  }

  template <class Value>
  [[gnu::noinline]] bool LocalPortAsText(Value& value) {
    std::uint64_t port = 0;
    if (!value.IsText()) return Integer(value, 65535, port) || Fault("local_port is no integer from 0 to 65535");
    std::string_view text;
    if (!value.Text(text) || text.empty() || text.size() > 5) return Fault("local_port is no number");
    for (char c : text) {
      if (c < '0' || c > '9') return Fault("local_port is no number");
      port = port * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return port <= 65535 || Fault("local_port is no integer from 0 to 65535");
  }

  template <class Value>
  bool Custom(Value& metrics) {
    bool ok = metrics.Object([&](auto& key, Value& value) {
      std::string_view name;
      if (!key.Text(name)) return false;
      if (name.empty() || name.size() > kMaxCustomNameBytes) return Fault("a custom metric's name is too long or empty");
      if (out_.custom.size() == kMaxCustomMetrics) return Fault("more than 100 custom metrics");
      if (out_.custom.Find(name)) return Fault("a custom metric is there twice");
      std::size_t objects = 0;
      bool listed = value.Array([&](Value& entry) {
        return ++objects == 1 ? CustomValue(name, entry) : Fault("a custom metric holds more than one object");
      });
      if (!listed) return Fault("a custom metric is no array");
      return objects == 1 || Fault("a custom metric holds no object");
    });
    return ok || Fault("custom_metrics is no object");
  }

  template <class Value>
  bool CustomValue(std::string_view name, Value& entry) {
    std::size_t members = 0;
    bool ok = entry.Object([&](auto& key, Value& value) {
      if (++members > 1) return Fault("a custom metric has more than one value");
      switch (key.template Match<kCustomNames>()) {
        case kNumber:
          out_.custom.Begin(name, model::CustomMetricType::kNumber);
          return Number(value);
        case kNumberList:
          out_.custom.Begin(name, model::CustomMetricType::kNumberList);
          return List(value, [&](Value& item) { return Number(item); });
        case kStringList:
          out_.custom.Begin(name, model::CustomMetricType::kStringList);
          return List(value, [&](Value& item) { return String(item); });
        case kIpList: return IpList(name, value);
        default: return Fault("a custom metric's value is of no known type");
      }
    });
    if (!ok) return Fault("a custom metric's entry is no object");
    return members == 1 || Fault("a custom metric has no value");
  }

  template <class Value>
  bool IpList(std::string_view name, Value& value) {
    out_.custom.Begin(name, model::CustomMetricType::kIpAddressList);
    bool valid = true;
    bool ok = List(value, [&](Value& item) {
      std::string_view text;
      if (!item.Text(text)) return Fault("an entry of ip_list is no string");
      auto address = ParseAddress(text);
      valid = valid && address;
      if (valid) out_.custom.AddAddress(*address);
      return true;
    });
    if (ok && !valid) out_.custom.SetFault(CustomFault::kBadAddress);
    return ok;
  }

  template <class Value, class Item>
  bool List(Value& value, Item item) {
    std::size_t count = 0;
    bool ok = value.Array([&](Value& entry) {
      return ++count <= kMaxListValues ? item(entry) : Fault("a custom metric has more than 1000 values");
    });
    return ok || Fault("a custom metric's list is no array");
  }

  template <class Value>
  bool Number(Value& value) {
    double number = 0;
    if (!value.Double(number) || !std::isfinite(number)) return Fault("a custom metric's number is no number");
    out_.custom.AddNumber(number);
    return true;
  }

  template <class Value>
  bool String(Value& value) {
    std::string_view text;
    if (!value.Text(text)) return Fault("an entry of string_list is no string");
    if (text.size() > kMaxStringBytes) return Fault("an entry of string_list is longer than 1024 bytes");
    out_.custom.AddString(text);
    return true;
  }

  template <class Value>
  bool Total(Value& value, std::optional<std::int64_t>& total) {
    std::uint64_t number = 0;
    if (!Integer(value, kMaxCount, number)) return Fault("total is no integer from 0 to 2^63-1");
    total = static_cast<std::int64_t>(number);
    return true;
  }

  /// An integer, or a number that equals one: some agents print every number as floating point.
  template <class Value>
  [[gnu::always_inline]] static bool Integer(Value& value, std::uint64_t max, std::uint64_t& number) {
    if (value.Unsigned(number)) [[likely]] return number <= max;
    return IntegerAsReal(value, max, number);
  }

  template <class Value>
  [[gnu::noinline]] static bool IntegerAsReal(Value& value, std::uint64_t max, std::uint64_t& number) {
    double real = 0;
    if (!value.Double(real) || !(real >= 0) || real >= 18446744073709551616.0 || real != std::floor(real)) return false;
    number = static_cast<std::uint64_t>(real);
    return number <= max;
  }

  template <class Value>
  [[gnu::always_inline]] bool TextOrNull(Value& value, const char* fault) {
    return value.SkipText() || value.IsNull() || Fault(fault);
  }

  /// "1.0": major 1, any minor (a later minor only adds members).
  bool Version(std::string_view text) {
    if (text.size() < 3 || text.size() > 5 || !text.starts_with("1.")) return false;
    unsigned minor = 0;
    for (char c : text.substr(2)) {
      if (c < '0' || c > '9') return false;
      minor = minor * 10 + static_cast<unsigned>(c - '0');
    }
    out_.version_major = 1;
    out_.version_minor = static_cast<std::uint16_t>(minor);
    return true;
  }

  [[gnu::always_inline]] bool Once(unsigned& seen, int field) {
    unsigned bit = 1U << field;
    if (seen & bit) return Fault("a member is there twice");
    seen |= bit;
    return true;
  }

  /// The innermost fault is the one that is told.
  [[gnu::cold, gnu::noinline]] bool Fault(const char* text) {
    if (fault_ == nullptr) fault_ = text;
    return false;
  }

  MetricReport& out_;
  const char* fault_ = nullptr;
};

}  // namespace fleetward::report
