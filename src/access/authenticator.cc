#include "fleetward/access/authenticator.h"

#include <utility>

#include "fleetward/access/key_store.h"
#include "rate_limiter.h"

namespace fleetward::access {
namespace {

constexpr char kUnknownKeyText[] = "The security token included in the request is invalid.";

bool HasHeader(const crypto::HttpCall& call, std::string_view lower_name) {
  for (const auto& [name, value] : call.headers) {
    if (name.size() != lower_name.size()) continue;
    bool same = true;
    for (std::size_t i = 0; i < name.size() && same; ++i) same = (name[i] | 0x20) == (lower_name[i] | 0x20);
    if (same) return true;
  }
  return false;
}

}  // namespace

struct Authenticator::State {
  KeyStore& keys;
  const Clock& clock;
  AuthenticatorOptions options;
  RateLimiter limiter;
};

Authenticator::Authenticator(KeyStore& keys, const Clock& clock, AuthenticatorOptions options)
    : state_(new State{keys, clock, options, RateLimiter(options.calls_per_second)}) {}
Authenticator::~Authenticator() = default;

std::variant<Authenticated, AuthFailure> Authenticator::Authenticate(const crypto::HttpCall& call) {
  Result<crypto::SignatureClaim> parsed = crypto::ParseSignature(call);
  if (!parsed.ok()) {
    bool missing = parsed.error().code() == Code::kNotFound;
    return AuthFailure{missing ? AuthFault::kMissingToken : AuthFault::kIncomplete,
                       missing ? "Missing Authentication Token" : parsed.error().message(), "", ""};
  }
  const crypto::SignatureClaim& claim = *parsed;
  auto refuse = [&claim](AuthFault fault, std::string message, std::string detail) {
    return AuthFailure{fault, std::move(message), std::move(detail), claim.access_key_id};
  };
  if (HasHeader(call, "cookie")) {
    return refuse(AuthFault::kIncomplete, "A request is either signed or carries a session cookie, not both", "");
  }
  std::optional<KeySecret> key = state_->keys.Find(claim.access_key_id);
  if (!key) return refuse(AuthFault::kUnknownKey, kUnknownKeyText, "no such key");
  if (!key->active) return refuse(AuthFault::kUnknownKey, kUnknownKeyText, "the key is disabled");
  if (key->expires && *key->expires <= state_->clock.Now()) {
    return refuse(AuthFault::kUnknownKey, kUnknownKeyText, "the key has expired");
  }
  if (HasHeader(call, "x-amz-security-token")) {
    return refuse(AuthFault::kUnknownKey, kUnknownKeyText, "a session token was sent; there are none");
  }
  if (Status time = crypto::CheckSignatureTime(claim, state_->clock.Now()); !time.ok()) {
    return refuse(AuthFault::kInvalidSignature, time.error().message(), "time");
  }
  if (state_->options.region != "*" && claim.region != state_->options.region) {
    return refuse(AuthFault::kInvalidSignature,
                  "Credential should be scoped to a valid region, not '" + claim.region.substr(0, 64) + "'.", "region");
  }
  if (!crypto::VerifySignature(claim, call, key->secret)) {
    return refuse(AuthFault::kInvalidSignature,
                  "The request signature we calculated does not match the signature you provided. Check your secret "
                  "access key and signing method.",
                  "signature");
  }
  if (!state_->limiter.Take(claim.access_key_id, state_->clock.MonotonicMillis())) {
    return refuse(AuthFault::kThrottled, "Rate exceeded", "");
  }
  state_->keys.Used(claim.access_key_id);
  return Authenticated{{claim.access_key_id, key->role, key->scope}, claim.service};
}

}  // namespace fleetward::access
