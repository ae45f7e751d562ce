#include "head_check.h"

#include <algorithm>

namespace fleetward::http {
namespace {

std::size_t Count(const Request& head, std::string_view name) {
  return static_cast<std::size_t>(std::count_if(head.headers.begin(), head.headers.end(), [name](const Header& header) {
    return SameHeaderName(header.first, name);
  }));
}

bool IsDigits(std::string_view text) {
  return !text.empty() && text.size() <= 19 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Which framing headers a request has; two parsers that disagree about them can be made to see two requests.
std::optional<Rejection> CheckFraming(const Request& head, unsigned version) {
  std::size_t lengths = Count(head, "content-length"), codings = Count(head, "transfer-encoding");
  if (lengths > 1) return Rejection{400, "Content-Length is given twice"};
  if (lengths == 1 && codings > 0) return Rejection{400, "Content-Length and Transfer-Encoding exclude each other"};
  if (lengths == 1 && !IsDigits(*head.FindHeader("content-length"))) {
    return Rejection{400, "Content-Length is no number"};
  }
  if (codings > 1) return Rejection{400, "Transfer-Encoding is given twice"};
  if (codings == 1 && version < 11) return Rejection{400, "Transfer-Encoding needs HTTP/1.1"};
  if (codings == 1 && !SameHeaderName(*head.FindHeader("transfer-encoding"), "chunked")) {
    return Rejection{501, "Only the transfer coding chunked is supported"};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Rejection> CheckHead(const Request& head, unsigned version) {
  if (version != 10 && version != 11) return Rejection{505, "Only HTTP/1.0 and 1.1 are supported"};
  if (auto framing = CheckFraming(head, version)) return framing;
  std::size_t hosts = Count(head, "host");
  if (hosts > 1) return Rejection{400, "Host is given twice"};
  if (hosts == 0 && version == 11) return Rejection{400, "Host is missing"};
  if (Count(head, "authorization") > 1) return Rejection{400, "Authorization is given twice"};
  if (Count(head, "expect") > 0 && !SameHeaderName(*head.FindHeader("expect"), "100-continue")) {
    return Rejection{417, "Only the expectation 100-continue is supported"};
  }
  if (head.target.empty() || head.target[0] != '/') return Rejection{400, "The request target must be a path"};
  return std::nullopt;
}

std::string StatusText(int status) {
  static constexpr std::pair<int, std::string_view> kNames[] = {
      {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {301, "Moved Permanently"},
      {302, "Found"}, {303, "See Other"}, {304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"},
      {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {406, "Not Acceptable"},
      {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"}, {413, "Content Too Large"},
      {417, "Expectation Failed"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"}, {501, "Not Implemented"}, {503, "Service Unavailable"},
      {505, "HTTP Version Not Supported"}};
  for (auto [code, name] : kNames) {
    if (code == status) return std::to_string(status) + " " + std::string(name);
  }
  return std::to_string(status) + " ";
}

std::string Serialize(const Response& response, bool keep_alive, bool head_only, const std::string& date) {
  std::string out = "HTTP/1.1 " + StatusText(response.status) + "\r\nDate: " + date + "\r\n";
  for (const auto& [name, value] : response.headers) {
    out += name + ": ";
    // A header's value comes from handlers; a line break in it would start another header.
    for (char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    out += "\r\n";
  }
  if (response.status != 204 && response.status != 304) {
    out += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  }
  if (!keep_alive) out += "Connection: close\r\n";
  out += "\r\n";
  if (!head_only && response.status != 204 && response.status != 304) out += response.body;
  return out;
}

}  // namespace fleetward::http
