// AWS Signature Version 4: what a call claims, what it must have signed, and a signer for our own client. Rules:
// decisions 24-26, reference core.md §2, components.md §6, and AWS's "Create a signed AWS API request".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"

namespace fleetward::crypto {

/// An HTTP call as it was sent. The views outlive the use.
struct HttpCall {
  std::string_view method;
  std::string_view target;  // raw: "/things/a%3Ab?x=1"
  std::span<const std::pair<std::string, std::string>> headers;
  std::string_view body;
};

/// A parsed, not yet verified signature.
struct SignatureClaim {
  std::string access_key_id;
  std::string date;     // of the scope: "20150830"
  std::string region;   // "us-east-1"
  std::string service;  // "iot"
  std::string timestamp;                    // X-Amz-Date: "20150830T123600Z"
  Timestamp time{};                         // the same
  std::vector<std::string> signed_headers;  // lower case
  std::string signature;                    // lower-case hex
  bool presigned = false;
  std::int64_t expires_seconds = 0;         // presigned only: 1 to 604,800
};

/// Reads the Authorization header or the presigned form. Errors: kNotFound (the call carries no signature at all),
/// kInvalidArgument (a signature that is incomplete, malformed, in both places, or says something twice; host and
/// every x-amz-* header must be among the signed ones).
Result<SignatureClaim> ParseSignature(const HttpCall& call);

/// Checks the claim's time against `now`: at most 5 minutes off, presigned until it expires. Error: kUnauthenticated.
Status CheckSignatureTime(const SignatureClaim& claim, Timestamp now);

/// True when the claim's signature is that of `call` under `secret`. Compares in constant time.
bool VerifySignature(const SignatureClaim& claim, const HttpCall& call, std::string_view secret);

/// The canonical request, for tests and for the log at debug level: it holds no secret.
std::string CanonicalRequest(const SignatureClaim& claim, const HttpCall& call);

struct SigningCredentials {
  std::string access_key_id;
  std::string secret;
  std::string region;
  std::string service;  // "iot"
};

/// Headers to add to `call`: X-Amz-Date and Authorization. All headers of the call are signed; Host must be there.
std::vector<std::pair<std::string, std::string>> SignCall(const HttpCall& call, const SigningCredentials& credentials,
                                                          Timestamp now);

/// The target with the presigned members appended, for a call with a Host header `host` and no body.
std::string PresignTarget(std::string_view method, std::string_view target, std::string_view host,
                          const SigningCredentials& credentials, Timestamp now, std::int64_t expires_seconds);

}  // namespace fleetward::crypto
