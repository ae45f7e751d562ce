#include "fleetward/report/reason_lines.h"

namespace fleetward::report {
namespace {

struct Ending {
  std::string_view text;
  DisconnectReason reason;
};

/// Whole rests of a line after the client id. The first that fits decides.
constexpr Ending kEndings[] = {
    {" closed its connection.", DisconnectReason::kConnectionLost},
    {" has exceeded timeout, disconnecting.", DisconnectReason::kKeepAliveTimeout},
    {" already connected, closing old connection.", DisconnectReason::kDuplicateClientId},
    {" been disconnected by administrative action.", DisconnectReason::kApiInitiated},
    {" disconnected, not authorised.", DisconnectReason::kAuthError},
    {" disconnected due to malformed packet.", DisconnectReason::kClientError},
    {" disconnected due to protocol error.", DisconnectReason::kClientError},
    {" disconnected due to oversize packet.", DisconnectReason::kClientError},
    {" disconnected due to oversize payload.", DisconnectReason::kClientError},
    {" disconnected due to QoS too high or retain not supported.", DisconnectReason::kClientError},
    {" disconnected due to out of memory.", DisconnectReason::kServerError},
    {" disconnected.", DisconnectReason::kClientInitiated},
};

constexpr std::string_view kClient = "Client ";
/// Endings with the system's error text: "Client X disconnected: Connection reset by peer."
constexpr std::string_view kErrno = " disconnected: ";

/// The text behind "1700000000: ".
std::optional<std::string_view> WithoutTime(std::string_view line) {
  std::size_t digits = line.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || !line.substr(digits).starts_with(": ")) return std::nullopt;
  return line.substr(digits + 2);
}

}  // namespace

std::optional<ReasonLine> ParseReasonLine(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  auto text = WithoutTime(line);
  if (!text) return std::nullopt;
  constexpr std::string_view kBadSocket = "Bad socket read/write on client ";
  if (text->starts_with(kBadSocket)) {
    std::size_t colon = text->rfind(": ");
    if (colon == std::string_view::npos || colon < kBadSocket.size()) return std::nullopt;
    return ReasonLine{text->substr(kBadSocket.size(), colon - kBadSocket.size()), DisconnectReason::kConnectionLost};
  }
  if (!text->starts_with(kClient)) return std::nullopt;
  text->remove_prefix(kClient.size());
  for (const Ending& ending : kEndings) {
    if (text->size() > ending.text.size() && text->ends_with(ending.text)) {
      return ReasonLine{text->substr(0, text->size() - ending.text.size()), ending.reason};
    }
  }
  std::size_t mark = text->rfind(kErrno);
  if (mark == 0 || mark == std::string_view::npos || text->back() != '.') return std::nullopt;
  return ReasonLine{text->substr(0, mark), DisconnectReason::kConnectionLost};
}

void AppendReason(std::string_view client_id, DisconnectReason reason, std::string& datagram) {
  if (client_id.size() > 255) return;
  datagram.push_back(static_cast<char>(reason));
  datagram.push_back(static_cast<char>(client_id.size()));
  datagram.append(client_id);
}

void ForEachReason(std::string_view datagram, const std::function<void(std::string_view, DisconnectReason)>& visit) {
  while (datagram.size() >= 2) {
    auto code = static_cast<std::uint8_t>(datagram[0]);
    auto size = static_cast<std::uint8_t>(datagram[1]);
    datagram.remove_prefix(2);
    if (size > datagram.size()) return;
    bool known = code <= static_cast<std::uint8_t>(DisconnectReason::kThrottled);
    visit(datagram.substr(0, size), known ? static_cast<DisconnectReason>(code) : DisconnectReason::kUnknown);
    datagram.remove_prefix(size);
  }
}

}  // namespace fleetward::report
