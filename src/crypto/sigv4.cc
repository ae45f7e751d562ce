#include "fleetward/crypto/sigv4.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>

#include "fleetward/base/encoding.h"
#include "fleetward/crypto/digest.h"
#include "sigv4_canonical.h"

namespace fleetward::crypto {
namespace {

constexpr std::chrono::minutes kSkew{5};

std::string Signature(const SignatureClaim& claim, const HttpCall& call, std::string_view secret) {
  std::string scope = claim.date + "/" + claim.region + "/" + claim.service + "/aws4_request";
  std::string to_sign =
      "AWS4-HMAC-SHA256\n" + claim.timestamp + "\n" + scope + "\n" + Sha256Hex(CanonicalRequest(claim, call));
  std::string key = HmacSha256("AWS4" + std::string(secret), claim.date);
  key = HmacSha256(key, claim.region);
  key = HmacSha256(key, claim.service);
  key = HmacSha256(key, "aws4_request");
  return HexEncode(HmacSha256(key, to_sign));
}

std::string BasicTime(Timestamp time) {
  std::string iso = Iso8601(time);  // 2015-08-30T12:36:00.000Z
  return iso.substr(0, 4) + iso.substr(5, 2) + iso.substr(8, 2) + "T" + iso.substr(11, 2) + iso.substr(14, 2) +
         iso.substr(17, 2) + "Z";
}

SignatureClaim ClaimOf(const SigningCredentials& credentials, Timestamp now) {
  SignatureClaim claim;
  claim.access_key_id = credentials.access_key_id;
  claim.region = credentials.region;
  claim.service = credentials.service;
  claim.timestamp = BasicTime(now);
  claim.date = claim.timestamp.substr(0, 8);
  claim.time = now;
  return claim;
}

std::string CredentialOf(const SignatureClaim& claim) {
  return claim.access_key_id + "/" + claim.date + "/" + claim.region + "/" + claim.service + "/aws4_request";
}

}  // namespace

Status CheckSignatureTime(const SignatureClaim& claim, Timestamp now) {
  if (claim.time > now + kSkew) {
    return Error(Code::kUnauthenticated, "Signature not yet current: " + claim.timestamp + " is still later than " +
                                             BasicTime(now) + " + 5 min.");
  }
  Timestamp end = claim.presigned ? claim.time + std::chrono::seconds(claim.expires_seconds) : claim.time + kSkew;
  if (now <= end) return {};
  return Error(Code::kUnauthenticated,
               "Signature expired: " + claim.timestamp + " is now earlier than " + BasicTime(now) +
                   (claim.presigned ? " minus the given expiry." : " - 5 min."));
}

bool VerifySignature(const SignatureClaim& claim, const HttpCall& call, std::string_view secret) {
  // A stated hash of the body must be true; "UNSIGNED-PAYLOAD" and streaming forms are not offered by these services.
  if (CountHeader(call, "x-amz-content-sha256") > 0 &&
      CanonicalHeaderValue(call, "x-amz-content-sha256") != Sha256Hex(call.body)) {
    return false;
  }
  return ConstantTimeEquals(Signature(claim, call, secret), claim.signature);
}

std::vector<std::pair<std::string, std::string>> SignCall(const HttpCall& call, const SigningCredentials& credentials,
                                                          Timestamp now) {
  SignatureClaim claim = ClaimOf(credentials, now);
  std::vector<std::pair<std::string, std::string>> headers(call.headers.begin(), call.headers.end());
  headers.emplace_back("X-Amz-Date", claim.timestamp);
  std::set<std::string> names;
  for (const auto& [name, value] : headers) names.insert(LowerCase(name));
  claim.signed_headers.assign(names.begin(), names.end());
  HttpCall with_date = call;
  with_date.headers = headers;
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ";") + name;
  return {{"X-Amz-Date", claim.timestamp},
          {"Authorization", "AWS4-HMAC-SHA256 Credential=" + CredentialOf(claim) + ", SignedHeaders=" + joined +
                                ", Signature=" + Signature(claim, with_date, credentials.secret)}};
}

std::string PresignTarget(std::string_view method, std::string_view target, std::string_view host,
                          const SigningCredentials& credentials, Timestamp now, std::int64_t expires_seconds) {
  SignatureClaim claim = ClaimOf(credentials, now);
  claim.signed_headers = {"host"};
  std::string signed_target(target);
  signed_target += target.find('?') == std::string_view::npos ? '?' : '&';
  signed_target += "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + PercentEncode(CredentialOf(claim)) +
                   "&X-Amz-Date=" + claim.timestamp + "&X-Amz-Expires=" + std::to_string(expires_seconds) +
                   "&X-Amz-SignedHeaders=host";
  std::vector<std::pair<std::string, std::string>> headers{{"host", std::string(host)}};
  HttpCall call{method, signed_target, headers, {}};
  return signed_target + "&X-Amz-Signature=" + Signature(claim, call, credentials.secret);
}

}  // namespace fleetward::crypto
