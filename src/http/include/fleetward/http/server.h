// HTTP/1.1 server over TLS or plain TCP. The transport library stays behind this header.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/http/message.h"

namespace fleetward {
class CounterRegistry;
}

namespace fleetward::http {

/// PEM texts: the chain with the server's certificate first, and its key.
struct TlsIdentity {
  std::string chain_pem;
  std::string key_pem;
};

/// Bounds that keep a hostile peer cheap (threats.md l, D46). A request ends at latest after header_seconds +
/// body_seconds, however slowly its bytes come.
struct ServerLimits {
  std::uint32_t header_bytes = 32 * 1024;
  std::uint64_t body_bytes = 1024 * 1024;
  std::uint32_t connections = 4096;
  std::uint32_t connections_per_address = 1024;
  std::uint32_t queued_requests = 1024;  // waiting for a handler thread; beyond: 503
  int handshake_seconds = 10;
  int header_seconds = 60;               // idle time between requests included
  int body_seconds = 60;
  int write_seconds = 60;
};

struct ServerOptions {
  std::string host = "127.0.0.1";        // an address, not a name
  std::uint16_t port = 0;                // 0: any free one
  std::optional<TlsIdentity> tls;        // nothing: plain
  int handler_threads = 4;
  ServerLimits limits;
  CounterRegistry* counters = nullptr;   // may be null; outlives the server
  std::string name = "api";              // label of counters
};

/// Thread-safe after Start.
class Server {
 public:
  /// Listens and serves until Stop. Errors: kInvalidArgument (address, certificate, key), kIo ("address in use").
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Handler handler);
  /// Stops without waiting for requests under way.
  ~Server();

  std::uint16_t port() const;

  /// New connections get this certificate; present ones keep theirs. Error: kInvalidArgument, the old one stays.
  Status ReloadCertificate(const TlsIdentity& identity);

  /// Stops accepting, lets requests under way finish for at most `grace`, closes everything. Idempotent.
  void Stop(Millis grace);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fleetward::http
