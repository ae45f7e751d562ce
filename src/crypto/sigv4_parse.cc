#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "fleetward/base/encoding.h"
#include "sigv4_canonical.h"

namespace fleetward::crypto {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::int64_t kMaxExpires = 7 * 24 * 3600;
constexpr std::size_t kMaxSignedHeaders = 64;

Error Incomplete(std::string what) { return Error(Code::kInvalidArgument, std::move(what)); }

std::optional<int> Number(std::string_view text) {
  int out = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || text[0] == '-' || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// "20150830T123600Z".
std::optional<Timestamp> ParseBasicTime(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  auto year = Number(text.substr(0, 4)), month = Number(text.substr(4, 2)), day = Number(text.substr(6, 2));
  auto hour = Number(text.substr(9, 2)), minute = Number(text.substr(11, 2)), second = Number(text.substr(13, 2));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                   std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// The named parts of a signature, from either place.
struct Parts {
  std::string credential, signed_headers, signature, date;
};

Status ReadCredential(const std::string& credential, SignatureClaim& claim) {
  std::vector<std::string> scope = Split(credential, '/');
  if (scope.size() != 5 || scope[0].empty() || scope[0].size() > 128 || scope[4] != "aws4_request") {
    return Incomplete("Credential must have the form <access key id>/<date>/<region>/<service>/aws4_request");
  }
  claim.access_key_id = scope[0];
  claim.date = scope[1];
  claim.region = scope[2];
  claim.service = scope[3];
  return {};
}

/// Headers whose change would change the call's meaning must be signed.
bool MustBeSigned(std::string_view lower_name) {
  return lower_name == "host" || lower_name.starts_with("x-amz-") ||
         (lower_name.starts_with("x-amzn-") && lower_name != "x-amzn-trace-id");
}

Status ReadSignedHeaders(const std::string& text, const HttpCall& call, SignatureClaim& claim) {
  claim.signed_headers = Split(text, ';');
  const auto& names = claim.signed_headers;
  if (names.size() > kMaxSignedHeaders) return Incomplete("SignedHeaders names too many headers");
  if (std::adjacent_find(names.begin(), names.end(), std::greater_equal<>()) != names.end()) {
    return Incomplete("SignedHeaders must be sorted and name each header once");
  }
  for (const std::string& name : names) {
    if (name.empty() || name != LowerCase(name)) return Incomplete("SignedHeaders must be lower case");
    if (CountHeader(call, name) == 0) return Incomplete("A signed header is missing: " + name.substr(0, 100));
  }
  if (!std::binary_search(names.begin(), names.end(), "host")) return Incomplete("'Host' must be a signed header");
  for (const auto& [key, value] : call.headers) {
    std::string name = LowerCase(key);
    if (MustBeSigned(name) && !std::binary_search(names.begin(), names.end(), name)) {
      return Incomplete("'" + name.substr(0, 100) + "' must be a signed header");
    }
  }
  return {};
}

Result<SignatureClaim> Assemble(const Parts& parts, const HttpCall& call) {
  SignatureClaim claim;
  FW_TRY(ReadCredential(parts.credential, claim));
  FW_TRY(ReadSignedHeaders(parts.signed_headers, call, claim));
  claim.timestamp = parts.date;
  std::optional<Timestamp> time = ParseBasicTime(parts.date);
  if (!time) return Incomplete("X-Amz-Date must have the form 20150830T123600Z");
  claim.time = *time;
  if (claim.date != parts.date.substr(0, 8)) return Incomplete("The credential's date differs from X-Amz-Date");
  claim.signature = LowerCase(parts.signature);
  if (claim.signature.size() != 64 || !HexDecode(claim.signature)) return Incomplete("Signature must be 64 hex digits");
  return claim;
}

/// "Credential=…, SignedHeaders=…, Signature=…" behind the algorithm.
Result<SignatureClaim> ParseHeader(std::string_view header, const HttpCall& call) {
  if (!header.starts_with(kAlgorithm) || header.size() == kAlgorithm.size() || header[kAlgorithm.size()] != ' ') {
    return Incomplete("Authorization must begin with AWS4-HMAC-SHA256");
  }
  Parts parts;
  for (const std::string& piece : Split(header.substr(kAlgorithm.size() + 1), ',')) {
    std::string_view text = piece;
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    std::size_t equals = text.find('=');
    std::string_view name = text.substr(0, equals);
    std::string* slot = name == "Credential"      ? &parts.credential
                        : name == "SignedHeaders" ? &parts.signed_headers
                        : name == "Signature"     ? &parts.signature
                                                  : nullptr;
    if (!slot || equals == std::string_view::npos || !slot->empty()) {
      return Incomplete("Authorization holds an unknown, empty or repeated part");
    }
    *slot = text.substr(equals + 1);
  }
  if (parts.credential.empty()) return Incomplete("Authorization header requires 'Credential' parameter");
  if (parts.signed_headers.empty()) return Incomplete("Authorization header requires 'SignedHeaders' parameter");
  if (parts.signature.empty()) return Incomplete("Authorization header requires 'Signature' parameter");
  if (CountHeader(call, "x-amz-date") != 1) return Incomplete("Authorization requires one 'X-Amz-Date' header");
  parts.date = CanonicalHeaderValue(call, "x-amz-date");
  return Assemble(parts, call);
}

/// Value of a query member that must occur exactly once.
Result<std::string> Single(std::string_view query, std::string_view wanted) {
  std::optional<std::string> found;
  for (auto [name, value] : SplitQuery(query)) {
    if (PercentDecode(name) != std::string(wanted)) continue;
    if (found) return Incomplete(std::string(wanted) + " is given twice");
    found = PercentDecode(value);
    if (!found) return Incomplete(std::string(wanted) + " is malformed");
  }
  if (!found) return Incomplete(std::string(wanted) + " is missing");
  return *found;
}

Result<SignatureClaim> ParsePresigned(const HttpCall& call) {
  std::string_view query = QueryOf(call.target);
  FW_ASSIGN(std::string algorithm, Single(query, "X-Amz-Algorithm"));
  if (algorithm != kAlgorithm) return Incomplete("X-Amz-Algorithm must be AWS4-HMAC-SHA256");
  Parts parts;
  FW_ASSIGN(parts.credential, Single(query, "X-Amz-Credential"));
  FW_ASSIGN(parts.signed_headers, Single(query, "X-Amz-SignedHeaders"));
  FW_ASSIGN(parts.signature, Single(query, "X-Amz-Signature"));
  FW_ASSIGN(parts.date, Single(query, "X-Amz-Date"));
  FW_ASSIGN(std::string expires, Single(query, "X-Amz-Expires"));
  FW_ASSIGN(SignatureClaim claim, Assemble(parts, call));
  std::optional<int> seconds = Number(expires);
  if (!seconds || *seconds < 1 || *seconds > kMaxExpires) {
    return Incomplete("X-Amz-Expires must be between 1 and 604800 seconds");
  }
  claim.presigned = true;
  claim.expires_seconds = *seconds;
  return claim;
}

bool HasPresignedMember(std::string_view query) {
  for (auto [name, value] : SplitQuery(query)) {
    std::optional<std::string> decoded = PercentDecode(name);
    if (decoded == "X-Amz-Signature" || decoded == "X-Amz-Credential" || decoded == "X-Amz-Algorithm") return true;
  }
  return false;
}

}  // namespace

Result<SignatureClaim> ParseSignature(const HttpCall& call) {
  std::size_t headers = CountHeader(call, "authorization");
  bool presigned = HasPresignedMember(QueryOf(call.target));
  if (headers > 1) return Incomplete("Authorization is given twice");
  if (CountHeader(call, "host") > 1) return Incomplete("Host is given twice");
  if (headers == 1 && presigned) return Incomplete("The request is signed both in a header and in the query string");
  if (presigned) return ParsePresigned(call);
  if (headers == 0) return Error(Code::kNotFound, "The request is not signed");
  return ParseHeader(CanonicalHeaderValue(call, "authorization"), call);
}

}  // namespace fleetward::crypto
