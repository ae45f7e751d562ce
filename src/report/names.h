// Names of the members of a report, long and short, in a form that both decoders match quickly: the first eight bytes
// as a word. The order within a table is the order of the enumeration beside it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace fleetward::report {

static_assert(std::endian::native == std::endian::little, "names are compared as little-endian words");

/// Eight bytes of text as a word.
inline std::uint64_t LoadWord(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// One spelling of a member's name, compared as at most three words: its first, second and last eight bytes.
class Name {
 public:
  constexpr Name(std::string_view text, int field) : size_(text.size()), field_(static_cast<std::uint8_t>(field)) {
    if (text.size() > 24) std::abort();  // in a constant: does not compile
    for (std::size_t i = 0; i < 8 && i < text.size(); ++i) {
      word_ |= Byte(text[i], i);
      mask_ |= std::uint64_t{0xff} << (8 * i);
    }
    quoted_word_ = word_;
    quoted_mask_ = mask_;
    if (text.size() < 8) {
      quoted_word_ |= Byte('"', text.size());
      quoted_mask_ |= std::uint64_t{0xff} << (8 * text.size());
    }
    for (std::size_t i = 0; i < 8 && text.size() > 8; ++i) {
      if (text.size() > 16) middle_ |= Byte(text[8 + i], i);
      last_ |= Byte(text[text.size() - 8 + i], i);
    }
  }

  /// Whether the text at `begin`, whose first eight bytes are `word`, is this name followed by a quote. At least 64
  /// bytes must be readable.
  [[gnu::always_inline]] bool MatchesQuoted(const char* begin, std::uint64_t word) const {
    if ((word & quoted_mask_) != quoted_word_) return false;
    return size_ < 8 || (begin[size_] == '"' && RestMatches(begin));
  }
  /// Whether `key`, whose first eight bytes are `word` (what lies behind a shorter key does not matter), is this name.
  [[gnu::always_inline]] bool Matches(std::string_view key, std::uint64_t word) const {
    return key.size() == size_ && (word & mask_) == word_ && RestMatches(key.data());
  }
  int field() const { return field_; }

 private:
  static constexpr std::uint64_t Byte(char c, std::size_t index) {
    return std::uint64_t{static_cast<unsigned char>(c)} << (8 * index);
  }

  [[gnu::always_inline]] bool RestMatches(const char* begin) const {
    if (size_ <= 8) return true;
    if (size_ > 16 && LoadWord(begin + 8) != middle_) return false;
    return LoadWord(begin + size_ - 8) == last_;
  }

  std::size_t size_;
  std::uint64_t word_ = 0, mask_ = 0;
  std::uint64_t quoted_word_ = 0, quoted_mask_ = 0;
  std::uint64_t middle_ = 0, last_ = 0;
  std::uint8_t field_;
};

/// Field of the first name of the table for which `matches(name)` holds, else -1. The table is a template argument so
/// that its words become constants of the code.
template <const auto& kNames, class Matches>
[[gnu::always_inline]] inline int FindName(Matches matches) {
  int field = -1;
  [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) __attribute__((always_inline)) {
    (void)((matches(kNames[kIndex]) && ((field = kNames[kIndex].field()), true)) || ...);
  }(std::make_index_sequence<kNames.size()>());
  return field;
}

enum DocumentField { kHeader, kMetrics, kCustomMetrics };
inline constexpr std::array kDocumentNames = {
    Name("header", kHeader), Name("metrics", kMetrics), Name("custom_metrics", kCustomMetrics),
    Name("hed", kHeader),    Name("met", kMetrics),     Name("cmet", kCustomMetrics)};

enum HeaderField { kReportId, kVersion, kSpooledAt };
inline constexpr std::array kHeaderNames = {Name("report_id", kReportId), Name("version", kVersion),
                                            Name("rid", kReportId), Name("v", kVersion),
                                            Name("spooled_at", kSpooledAt)};

enum MetricsField { kTcpPorts, kUdpPorts, kNetworkStats, kTcpConnections };
inline constexpr std::array kMetricsNames = {
    Name("listening_tcp_ports", kTcpPorts), Name("listening_udp_ports", kUdpPorts),
    Name("network_stats", kNetworkStats),   Name("tcp_connections", kTcpConnections),
    Name("tp", kTcpPorts),                  Name("up", kUdpPorts),
    Name("ns", kNetworkStats),              Name("tc", kTcpConnections)};

enum PortListField { kPorts, kPortsTotal };
inline constexpr std::array kPortListNames = {Name("ports", kPorts), Name("total", kPortsTotal), Name("pts", kPorts),
                                              Name("t", kPortsTotal)};

enum PortField { kPort, kInterface };
inline constexpr std::array kPortNames = {Name("port", kPort), Name("interface", kInterface), Name("pt", kPort),
                                          Name("if", kInterface)};

enum NetworkField { kBytesIn, kBytesOut, kPacketsIn, kPacketsOut };
inline constexpr std::array kNetworkNames = {
    Name("bytes_in", kBytesIn), Name("bytes_out", kBytesOut), Name("packets_in", kPacketsIn),
    Name("packets_out", kPacketsOut), Name("bi", kBytesIn), Name("bo", kBytesOut), Name("pi", kPacketsIn),
    Name("po", kPacketsOut)};

enum TcpField { kEstablished };
inline constexpr std::array kTcpNames = {Name("established_connections", kEstablished), Name("ec", kEstablished)};

enum EstablishedField { kConnections, kConnectionsTotal };
inline constexpr std::array kEstablishedNames = {Name("connections", kConnections), Name("total", kConnectionsTotal),
                                                 Name("cs", kConnections), Name("t", kConnectionsTotal)};

enum ConnectionField { kRemoteAddr, kLocalPort, kLocalInterface };
inline constexpr std::array kConnectionNames = {
    Name("remote_addr", kRemoteAddr), Name("local_port", kLocalPort), Name("local_interface", kLocalInterface),
    Name("rad", kRemoteAddr),         Name("lp", kLocalPort),         Name("li", kLocalInterface)};

enum CustomField { kNumber, kNumberList, kStringList, kIpList };
inline constexpr std::array kCustomNames = {Name("number", kNumber), Name("number_list", kNumberList),
                                            Name("string_list", kStringList), Name("ip_list", kIpList)};

}  // namespace fleetward::report
