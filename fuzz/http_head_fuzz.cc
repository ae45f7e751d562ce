// The head of a request as it comes over the wire, read by the server's parser and judged by CheckHead: what
// passes must frame the same body for a second, naive reader of the same bytes, or requests could be smuggled
// between the two.
#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "../src/http/head_check.h"

namespace {

using namespace fleetward;

/// Lines cut at CRLF; a line that begins with a blank goes on with the one before it.
struct NaiveHead {
  std::vector<http::Header> headers;

  explicit NaiveHead(std::string_view text) {
    text.remove_prefix(std::min(text.find("\r\n") + 2, text.size()));
    for (std::size_t end; (end = text.find("\r\n")) != std::string_view::npos && end > 0;
         text.remove_prefix(end + 2)) {
      std::string line(text.substr(0, end));
      bool continues = line[0] == ' ' || line[0] == '\t';
      if (continues && !headers.empty()) {
        headers.back().second += line;
        continue;
      }
      std::size_t colon = line.find(':');
      headers.emplace_back(line.substr(0, colon), colon == std::string::npos ? "" : line.substr(colon + 1));
    }
  }

  std::vector<std::string> Values(std::string_view name) const {
    std::vector<std::string> out;
    for (const auto& [key, value] : headers) {
      if (!http::SameHeaderName(key, name)) continue;
      std::size_t first = value.find_first_not_of(" \t"), last = value.find_last_not_of(" \t");
      out.push_back(first == std::string::npos ? "" : value.substr(first, last - first + 1));
    }
    return out;
  }
};

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckPassed(const http::Request& head,
                 const boost::beast::http::request_parser<boost::beast::http::string_body>& parser,
                 std::string_view text) {
  NaiveHead naive(text);
  std::vector<std::string> lengths = naive.Values("content-length"),
                           codings = naive.Values("transfer-encoding");
  Require(naive.headers.size() == head.headers.size());
  Require(lengths.size() + codings.size() <= 1);
  Require(naive.Values("host").size() <= 1 && naive.Values("authorization").size() <= 1);
  Require(parser.chunked() == !codings.empty());
  if (!codings.empty()) Require(http::SameHeaderName(codings[0], "chunked"));
  if (!lengths.empty())
    Require(parser.content_length() && *parser.content_length() == std::stoull(lengths[0]));
  Require(!head.target.empty() && head.target[0] == '/');
}

/// Whatever stands in an answer's header, it adds no line.
void CheckAnswer(std::string_view text) {
  http::Response response{200, {{"x-a", std::string(text)}}, std::string(text)};
  std::string bytes = http::Serialize(response, false, true, "D");
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = bytes.find_first_of("\r\n", at)) != std::string::npos; at += 2) {
    Require(bytes.compare(at, 2, "\r\n") == 0);
    ++lines;
  }
  Require(lines == 6);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace beast = boost::beast::http;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckAnswer(text);
  beast::request_parser<beast::string_body> parser;
  parser.header_limit(16 * 1024);
  parser.body_limit(1024 * 1024);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(data, size), error);
  if (error || !parser.is_header_done()) return 0;
  const auto& message = parser.get();
  http::Request head;
  head.method = std::string(message.method_string());
  head.target = std::string(message.target());
  for (const auto& field : message) head.headers.emplace_back(field.name_string(), field.value());
  auto rejected = http::CheckHead(head, message.version());
  if (rejected) {
    Require(rejected->status >= 400 && rejected->status <= 505 && !rejected->why.empty());
    return 0;
  }
  CheckPassed(head, parser, text);
  return 0;
}
