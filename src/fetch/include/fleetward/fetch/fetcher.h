// Outgoing HTTP requests to addresses that came from outside: HTTP subscriptions, revocation lists (threats.md p).
// Only http and https, no redirects, no proxies, no cookies, no credentials in URLs, bounded in size and time; the
// address is checked again when the socket is opened, after DNS, and TLS certificates are verified before anything
// is sent.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/fetch/address.h"

namespace fleetward::fetch {

/// What a host name means; text addresses.
using Resolver = std::function<std::vector<std::string>(const std::string& host)>;

struct FetchRules {
  bool loopback_only = false;               // fetch.allow_loopback: for tests; nothing but loopback is visited then
  bool allow_private = true;                // fetch.allow_private
  std::vector<std::uint16_t> own_ports;     // never visited on an address of this machine
  std::string ca_file;                      // further trusted CAs beside the system's
  Resolver resolver;                        // empty: the system's. For tests
};

struct FetchRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::size_t max_answer_bytes = 1 << 20;   // what is beyond is not read
  Millis connect_timeout{5000};
  Millis timeout{15000};
  const std::atomic<bool>* cancel = nullptr;  // when it becomes true the request ends within a second or so
};

struct FetchAnswer {
  int status = 0;
  std::string body;
  bool truncated = false;                   // the body was longer than max_answer_bytes
};

/// Host and port of an accepted URL.
struct Target {
  std::string host;                         // lower case, addresses in normal form, IPv6 without brackets
  std::uint16_t port = 0;
  bool tls = false;
};

/// Thread-safe; Fetch may run on many threads at once.
class Fetcher {
 public:
  explicit Fetcher(FetchRules rules) : rules_(std::move(rules)) {}

  /// Whether a URL may be visited as far as its text tells; looks nothing up. Errors: kInvalidArgument.
  Result<Target> Check(std::string_view url) const;
  /// Whether a connection may be made. Errors: kPermissionDenied.
  Status Check(const Address& address, std::uint16_t port) const;
  /// Blocks. Any status is an answer, redirects too. Errors: kInvalidArgument (URL), kPermissionDenied (the name leads
  /// to a forbidden address), kUnavailable (no address, no connection), kCertificateInvalid (TLS), kTimeout,
  /// kInvalidState (cancelled).
  Result<FetchAnswer> Fetch(const FetchRequest& request) const;

 private:
  FetchRules rules_;
};

}  // namespace fleetward::fetch
