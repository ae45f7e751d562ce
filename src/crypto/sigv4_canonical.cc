#include "sigv4_canonical.h"

#include <algorithm>

#include "fleetward/base/encoding.h"
#include "fleetward/crypto/digest.h"

namespace fleetward::crypto {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string Collapse(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (!IsBlank(c)) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

/// Decoded as far as possible and encoded again; a stray % is taken literally.
std::string Reencode(std::string_view text) {
  std::optional<std::string> decoded = PercentDecode(text);
  return PercentEncode(decoded ? std::string_view(*decoded) : text);
}

}  // namespace

std::string_view PathOf(std::string_view target) { return target.substr(0, target.find('?')); }

std::string_view QueryOf(std::string_view target) {
  std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<std::pair<std::string_view, std::string_view>> SplitQuery(std::string_view query) {
  std::vector<std::pair<std::string_view, std::string_view>> members;
  while (!query.empty()) {
    std::size_t end = query.find('&');
    std::string_view member = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (member.empty()) continue;
    std::size_t equals = member.find('=');
    members.emplace_back(member.substr(0, equals),
                         equals == std::string_view::npos ? std::string_view() : member.substr(equals + 1));
  }
  return members;
}

std::string CanonicalPath(std::string_view path) {
  std::vector<std::string_view> segments;
  std::size_t at = 0;
  while (at <= path.size()) {
    std::size_t end = std::min(path.find('/', at), path.size());
    std::string_view segment = path.substr(at, end - at);
    at = end + 1;
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else {
      segments.push_back(segment);
    }
  }
  std::string out;
  for (std::string_view segment : segments) out += "/" + PercentEncode(segment);
  if (out.empty() || path.back() == '/') out += '/';
  return out;
}

std::string CanonicalQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> members;
  for (auto [name, value] : SplitQuery(query)) {
    if (name != "X-Amz-Signature") members.emplace_back(Reencode(name), Reencode(value));
  }
  std::sort(members.begin(), members.end());
  std::string out;
  for (const auto& [name, value] : members) out += (out.empty() ? "" : "&") + name + "=" + value;
  return out;
}

std::string CanonicalHeaderValue(const HttpCall& call, std::string_view name) {
  std::string out;
  bool first = true;
  for (const auto& [key, value] : call.headers) {
    if (LowerCase(key) != name) continue;
    if (!first) out += ',';
    out += Collapse(value);
    first = false;
  }
  return out;
}

std::size_t CountHeader(const HttpCall& call, std::string_view name) {
  auto named = [name](const auto& header) { return LowerCase(header.first) == name; };
  return static_cast<std::size_t>(std::count_if(call.headers.begin(), call.headers.end(), named));
}

std::string CanonicalRequest(const SignatureClaim& claim, const HttpCall& call) {
  std::string out(call.method);
  out += "\n" + CanonicalPath(PathOf(call.target)) + "\n" + CanonicalQuery(QueryOf(call.target)) + "\n";
  std::string names;
  for (const std::string& name : claim.signed_headers) {
    out += name + ":" + CanonicalHeaderValue(call, name) + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  return out + "\n" + names + "\n" + Sha256Hex(call.body);
}

}  // namespace fleetward::crypto
