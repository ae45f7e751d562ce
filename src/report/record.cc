#include "fleetward/report/record.h"

#include <bit>
#include <cmath>
#include <limits>

#include "fleetward/base/encoding.h"

namespace fleetward::report {
namespace {

using model::CustomMetricType;

/// What a record holds; its bits are stored: never change them.
enum Present : std::uint32_t {
  kReportId = 1 << 0,
  kSpooledAt = 1 << 1,
  kBytesIn = 1 << 2,
  kBytesOut = 1 << 3,
  kPacketsIn = 1 << 4,
  kPacketsOut = 1 << 5,
  kTcpList = 1 << 6,
  kTcpTotal = 1 << 7,
  kUdpList = 1 << 8,
  kUdpTotal = 1 << 9,
  kConnections = 1 << 10,
  kConnectionsTotal = 1 << 11,
  kCustom = 1 << 12,
  kVersion = 1 << 13,  // other than 1.0
  kAllPresent = (1 << 14) - 1,
};

constexpr std::uint8_t kWholeNumber = 0;
constexpr std::uint8_t kRealNumber = 1;

void PutNumber(ByteWriter& writer, double value) {
  if (std::fabs(value) <= 9007199254740992.0) {
    auto whole = static_cast<std::int64_t>(value);
    if (std::bit_cast<std::uint64_t>(static_cast<double>(whole)) == std::bit_cast<std::uint64_t>(value)) {
      writer.U8(kWholeNumber);
      return writer.SignedVarint(whole);
    }
  }
  writer.U8(kRealNumber);
  writer.F64(value);
}

void PutPorts(ByteWriter& writer, const PortList& list) {
  writer.Varint(list.ports.size());
  writer.Varint(list.entries - list.ports.size());
  std::uint16_t before = 0;
  for (std::uint16_t port : list.ports) {
    writer.Varint(static_cast<std::uint64_t>(port - before));
    before = port;
  }
}

/// Bit 0 of `tag` becomes the family; then the tag, then 4 or 16 bytes.
void PutAddress(ByteWriter& writer, const model::IpAddress& address, std::uint64_t tag) {
  bool v4 = address.IsV4();
  writer.Varint(tag << 1 | (v4 ? 1 : 0));
  std::string_view bytes(reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size());
  writer.Raw(v4 ? bytes.substr(12) : bytes);
}

void PutCustom(ByteWriter& writer, const CustomMetrics::View& metric) {
  writer.Bytes(metric.name());
  writer.U8(static_cast<std::uint8_t>(static_cast<unsigned>(metric.type()) | static_cast<unsigned>(metric.fault()) << 4));
  switch (metric.type()) {
    case CustomMetricType::kNumber:
    case CustomMetricType::kNumberList:
      writer.Varint(metric.numbers().size());
      for (double number : metric.numbers()) PutNumber(writer, number);
      break;
    case CustomMetricType::kStringList:
      writer.Varint(metric.string_count());
      for (std::size_t i = 0; i < metric.string_count(); ++i) writer.Bytes(metric.string(i));
      break;
    case CustomMetricType::kIpAddressList:
      writer.Varint(metric.addresses().size());
      for (const model::IpPrefix& prefix : metric.addresses()) PutAddress(writer, prefix.address, prefix.length);
      break;
  }
}

std::uint32_t PresenceOf(const MetricReport& report) {
  std::uint32_t present = 0;
  auto note = [&](bool there, Present bit) { present |= there ? bit : 0U; };
  note(report.report_id.has_value(), kReportId);
  note(report.spooled_at_seconds.has_value(), kSpooledAt);
  note(report.network.bytes_in.has_value(), kBytesIn);
  note(report.network.bytes_out.has_value(), kBytesOut);
  note(report.network.packets_in.has_value(), kPacketsIn);
  note(report.network.packets_out.has_value(), kPacketsOut);
  note(report.tcp.listed, kTcpList);
  note(report.tcp.total.has_value(), kTcpTotal);
  note(report.udp.listed, kUdpList);
  note(report.udp.total.has_value(), kUdpTotal);
  note(report.connections.listed, kConnections);
  note(report.connections.total.has_value(), kConnectionsTotal);
  note(!report.custom.empty(), kCustom);
  note(report.version_major != 1 || report.version_minor != 0, kVersion);
  return present;
}

class Decoder {
 public:
  Decoder(std::string_view record, MetricReport& out) : reader_(record), out_(out) {}

  bool Read() {
    if (reader_.U8() != kRecordVersion) return false;
    std::uint64_t present = reader_.Varint();
    if (!reader_.ok() || present > kAllPresent) return false;
    if (present & kReportId) out_.report_id = reader_.Varint();
    if (present & kVersion) {
      std::uint64_t major = reader_.Varint();
      std::uint64_t minor = reader_.Varint();
      if (major > 0xffff || minor > 0xffff) return false;
      out_.version_major = static_cast<std::uint16_t>(major);
      out_.version_minor = static_cast<std::uint16_t>(minor);
    }
    bool ok = Count(present & kSpooledAt, out_.spooled_at_seconds) &&
              Count(present & kBytesIn, out_.network.bytes_in) && Count(present & kBytesOut, out_.network.bytes_out) &&
              Count(present & kPacketsIn, out_.network.packets_in) &&
              Count(present & kPacketsOut, out_.network.packets_out) && (!(present & kTcpList) || Ports(out_.tcp)) &&
              Count(present & kTcpTotal, out_.tcp.total) && (!(present & kUdpList) || Ports(out_.udp)) &&
              Count(present & kUdpTotal, out_.udp.total) && (!(present & kConnections) || Connections()) &&
              Count(present & kConnectionsTotal, out_.connections.total) && (!(present & kCustom) || Custom());
    return ok && reader_.ok() && reader_.AtEnd();
  }

 private:
  bool Count(std::uint64_t present, std::optional<std::int64_t>& value) {
    if (!present) return true;
    std::uint64_t number = reader_.Varint();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return false;
    value = static_cast<std::int64_t>(number);
    return reader_.ok();
  }

  /// A count of things that take at least one byte each.
  bool Size(std::uint64_t& size) {
    size = reader_.Varint();
    return reader_.ok() && size <= reader_.remaining();
  }

  bool Ports(PortList& list) {
    std::uint64_t size = 0;
    if (!Size(size)) return false;
    std::uint64_t folded = reader_.Varint();
    if (folded > kMaxPayloadBytes) return false;
    list.listed = true;
    list.entries = static_cast<std::uint32_t>(size + folded);
    std::uint64_t port = 0;
    for (; size > 0; --size) {
      std::uint64_t step = reader_.Varint();
      if (!reader_.ok() || step == 0 || step > 65535 - port) return false;
      port += step;
      list.ports.push_back(static_cast<std::uint16_t>(port));
    }
    return true;
  }

  bool Address(model::IpAddress& address, std::uint64_t& tag) {
    tag = reader_.Varint();
    bool v4 = tag & 1;
    tag >>= 1;
    std::string_view raw = reader_.Raw(v4 ? 4 : 16);
    if (!reader_.ok()) return false;
    address = {};
    if (v4) address.bytes[10] = address.bytes[11] = 0xff;
    std::copy(raw.begin(), raw.end(), address.bytes.begin() + (v4 ? 12 : 0));
    return true;
  }

  bool Connections() {
    std::uint64_t size = 0;
    if (!Size(size)) return false;
    out_.connections.listed = true;
    for (; size > 0; --size) {
      RemoteEndpoint remote;
      std::uint64_t port = 0;
      if (!Address(remote.address, port) || port > 65535) return false;
      remote.port = static_cast<std::uint16_t>(port);
      out_.connections.remotes.push_back(remote);
    }
    return true;
  }

  bool Custom() {
    std::uint64_t size = 0;
    if (!Size(size) || size == 0 || size > kMaxCustomMetrics) return false;
    for (; size > 0; --size) {
      std::string_view name = reader_.Bytes();
      std::uint8_t kind = reader_.U8();
      std::uint64_t values = 0;
      if (!Size(values) || (kind & 15) > 3 || kind >> 4 > 1) return false;
      auto type = static_cast<CustomMetricType>(kind & 15);
      out_.custom.Begin(name, type);
      for (; values > 0; --values) {
        if (!CustomValue(type)) return false;
      }
      if (kind >> 4 != 0) out_.custom.SetFault(static_cast<CustomFault>(kind >> 4));
    }
    return true;
  }

  bool CustomValue(CustomMetricType type) {
    if (type == CustomMetricType::kStringList) {
      out_.custom.AddString(reader_.Bytes());
    } else if (type == CustomMetricType::kIpAddressList) {
      model::IpPrefix prefix;
      std::uint64_t length = 0;
      if (!Address(prefix.address, length) || length > 128) return false;
      prefix.length = static_cast<std::uint8_t>(length);
      out_.custom.AddAddress(prefix);
    } else {
      std::uint8_t form = reader_.U8();
      if (form > kRealNumber) return false;
      out_.custom.AddNumber(form == kRealNumber ? reader_.F64() : static_cast<double>(reader_.SignedVarint()));
    }
    return reader_.ok();
  }

  ByteReader reader_;
  MetricReport& out_;
};

}  // namespace

void EncodeRecord(const MetricReport& report, std::string& out) {
  ByteWriter writer(out);
  std::uint32_t present = PresenceOf(report);
  writer.U8(kRecordVersion);
  writer.Varint(present);
  if (report.report_id) writer.Varint(*report.report_id);
  if (present & kVersion) {
    writer.Varint(report.version_major);
    writer.Varint(report.version_minor);
  }
  auto count = [&](const std::optional<std::int64_t>& value) {
    if (value) writer.Varint(static_cast<std::uint64_t>(*value));
  };
  count(report.spooled_at_seconds);
  count(report.network.bytes_in);
  count(report.network.bytes_out);
  count(report.network.packets_in);
  count(report.network.packets_out);
  if (report.tcp.listed) PutPorts(writer, report.tcp);
  count(report.tcp.total);
  if (report.udp.listed) PutPorts(writer, report.udp);
  count(report.udp.total);
  if (report.connections.listed) {
    writer.Varint(report.connections.remotes.size());
    for (const RemoteEndpoint& remote : report.connections.remotes) PutAddress(writer, remote.address, remote.port);
  }
  count(report.connections.total);
  if (report.custom.empty()) return;
  writer.Varint(report.custom.size());
  for (std::size_t i = 0; i < report.custom.size(); ++i) PutCustom(writer, report.custom[i]);
}

Status DecodeRecord(std::string_view record, MetricReport& out) {
  out.Clear();
  if (Decoder(record, out).Read()) return {};
  return Error(Code::kCorrupt, "a stored report does not make sense");
}

}  // namespace fleetward::report
