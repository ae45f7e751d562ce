// Who is calling? Verifies a call's signature against the access keys and keeps each key within its rate.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "fleetward/access/principal.h"
#include "fleetward/base/clock.h"
#include "fleetward/crypto/sigv4.h"

namespace fleetward::access {

class KeyStore;

/// Why a call is refused, as the API's table of errors knows it (D24).
enum class AuthFault : std::uint8_t {
  kMissingToken,      // no signature
  kUnknownKey,        // no such key, or a disabled one
  kIncomplete,        // a signature that lacks something or contradicts itself
  kInvalidSignature,  // signature, scope or time are wrong
  kThrottled,         // too many calls under this key
};

/// The verdict has one text for the caller and another for the log.
struct AuthFailure {
  AuthFault fault = AuthFault::kMissingToken;
  std::string message;
  std::string detail;
  std::string access_key_id;  // as claimed
};

struct Authenticated {
  Principal principal;
  std::string service;        // of the scope: "iot", "execute-api", "sns", …; the router compares it with the route
};

struct AuthenticatorOptions {
  std::string region = "us-east-1";  // "*" takes any (D25)
  double calls_per_second = 1000;    // per key, with a burst of one second (D27); 0 = unlimited
};

/// Thread-safe.
class Authenticator {
 public:
  /// `keys` and `clock` outlive the object.
  Authenticator(KeyStore& keys, const Clock& clock, AuthenticatorOptions options);
  ~Authenticator();

  /// Cost: two hashes of the body at most, five MACs.
  std::variant<Authenticated, AuthFailure> Authenticate(const crypto::HttpCall& call);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fleetward::access
