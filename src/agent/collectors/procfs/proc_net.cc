#include "collectors/procfs/proc_net.h"

#include <charconv>
#include <cstring>

namespace fleetward::agent {
namespace {

constexpr int kEstablished = 1;
constexpr int kUnconnectedUdp = 7;  // TCP_CLOSE
constexpr int kListen = 10;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Reads one line's fields from left to right; the first fault makes every later call fail.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : line_(line) {}

  bool SkipPast(char c) {
    std::size_t at = line_.find(c);
    if (at == std::string_view::npos) return Fail();
    line_.remove_prefix(at + 1);
    return true;
  }
  void SkipSpaces() {
    while (!line_.empty() && line_.front() == ' ') line_.remove_prefix(1);
  }
  /// Hex digits up to the first other character; at most `max_digits`.
  std::uint32_t Hex(std::size_t max_digits) {
    std::uint32_t value = 0;
    std::size_t digits = 0;
    while (!line_.empty() && digits <= max_digits) {
      int digit = HexDigit(line_.front());
      if (digit < 0) break;
      value = value << 4 | static_cast<std::uint32_t>(digit);
      line_.remove_prefix(1);
      ++digits;
    }
    if (digits == 0 || digits > max_digits) Fail();
    return value;
  }
  /// 8 or 32 hex digits, 32-bit words in the machine's byte order.
  bool Address(model::IpAddress& address) {
    std::size_t digits = line_.find(':');
    if (digits != 8 && digits != 32) return Fail();
    address.bytes.fill(0);
    std::uint8_t* out = address.bytes.data();
    if (digits == 8) {
      address.bytes[10] = address.bytes[11] = 0xff;
      out += 12;
    }
    for (std::size_t word = 0; word < digits / 8; ++word, out += 4) {
      std::uint32_t value = 0;
      for (int i = 0; i < 8; ++i) {
        int digit = HexDigit(line_[word * 8 + static_cast<std::size_t>(i)]);
        if (digit < 0) return Fail();
        value = value << 4 | static_cast<std::uint32_t>(digit);
      }
      std::memcpy(out, &value, 4);
    }
    line_.remove_prefix(digits + 1);
    return true;
  }
  bool Fail() {
    ok_ = false;
    line_ = {};
    return false;
  }
  bool ok() const { return ok_; }

 private:
  std::string_view line_;
  bool ok_ = true;
};

bool ParseRow(std::string_view line, SocketKind kind, SocketTable& table) {
  LineReader reader(line);
  model::IpAddress local;
  report::RemoteEndpoint remote;
  reader.SkipPast(':');
  reader.SkipSpaces();
  reader.Address(local);
  auto local_port = static_cast<std::uint16_t>(reader.Hex(4));
  reader.SkipSpaces();
  reader.Address(remote.address);
  remote.port = static_cast<std::uint16_t>(reader.Hex(4));
  reader.SkipSpaces();
  auto state = static_cast<int>(reader.Hex(2));
  if (!reader.ok()) return false;
  if (kind == SocketKind::kUdp) {
    if (state == kUnconnectedUdp) SocketTable::AddPort(table.udp_listening, local_port);
  } else if (state == kListen) {
    SocketTable::AddPort(table.tcp_listening, local_port);
  } else if (state == kEstablished) {
    table.AddConnection(remote);
  }
  return true;
}

std::string_view NextLine(std::string_view& text) {
  std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

bool ParseCounters(std::string_view columns, InterfaceCounters& counters) {
  std::uint64_t values[10];
  const char* at = columns.data();
  const char* end = at + columns.size();
  for (std::uint64_t& value : values) {
    while (at < end && *at == ' ') ++at;
    auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc()) return false;
    at = next;
  }
  counters.bytes_in = values[0];
  counters.packets_in = values[1];
  counters.bytes_out = values[8];
  counters.packets_out = values[9];
  return true;
}

}  // namespace

std::size_t ParseSocketTable(std::string_view text, SocketKind kind, SocketTable& table) {
  std::size_t faults = 0;
  NextLine(text);  // the heading
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    if (!line.empty() && !ParseRow(line, kind, table)) ++faults;
  }
  return faults;
}

Status ParseNetDev(std::string_view text, std::vector<InterfaceCounters>& interfaces) {
  std::size_t count = 0;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    // The two heading lines hold no colon; an alias name may ("eth0:1"), so the last one counts.
    std::size_t colon = line.rfind(':');
    if (colon == std::string_view::npos) continue;
    std::size_t begin = line.find_first_not_of(' ');
    if (begin >= colon) continue;
    if (interfaces.size() == count) interfaces.emplace_back();
    if (!ParseCounters(line.substr(colon + 1), interfaces[count])) continue;
    interfaces[count++].name.assign(line.substr(begin, colon - begin));
  }
  interfaces.resize(count);
  if (count == 0) return Error(Code::kCorrupt, "no interface in /proc/net/dev");
  return {};
}

}  // namespace fleetward::agent
