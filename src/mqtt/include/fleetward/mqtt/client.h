// An MQTT client, 3.1.1 or 5, over libmosquitto: TCP with mutual TLS, or a Unix socket. Used by the agent and by the
// server's control connection to the broker. When to connect again is the caller's decision.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::mqtt {

/// Files of a mutual TLS connection, PEM. `ca_file` empty means no TLS.
struct TlsFiles {
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string alpn;  // "x-amzn-mqtt-ca" for AWS-style port 443; empty: none
};

struct ClientOptions {
  std::string host;             // TCP; also the name that the server's certificate must carry
  std::uint16_t port = 8883;
  std::string unix_socket;      // a listener's path; used instead of host and port when not empty
  std::string client_id;
  bool clean_session = true;
  int keep_alive_seconds = 60;  // at least 5
  std::string username;         // empty: none
  std::string password;         // never logged
  TlsFiles tls;
  unsigned max_inflight = 20;   // QoS 1 publishes on the wire; more wait in memory
  bool version5 = false;        // MQTT 5, else 3.1.1
};

/// What MQTT 5 lets a message carry beside its payload.
struct Properties {
  std::optional<bool> utf8;  // the payload format indicator
  std::optional<std::uint32_t> expiry_seconds;
  std::optional<std::string> content_type;
  std::optional<std::string> response_topic;
  std::optional<std::string> correlation_data;  // any bytes
  std::vector<std::pair<std::string, std::string>> user;
};

struct Message {
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retain = false;
};

/// What happens on a connection. Called from Process() or from the client's own thread, never with a lock of the
/// client held: a handler may call the client, and should not block.
class Handler {
 public:
  virtual ~Handler() = default;
  /// CONNACK came. `return_code` 0 is success, else MQTT's code; after a refusal OnDisconnect follows.
  virtual void OnConnect(int return_code) = 0;
  /// The connection is gone, or could not be made. `reason` is for logs. Called once per Connect().
  virtual void OnDisconnect(const std::string& reason) = 0;
  virtual void OnMessage(const Message& message) = 0;
  /// QoS 0: written; QoS 1: the broker's PUBACK came.
  virtual void OnPublished(int packet_id) = 0;
  /// `granted_qos` 128 is a refusal.
  virtual void OnSubscribed(int packet_id, int granted_qos) = 0;
};

/// One connection at a time. Either drive it with Poll(), or from an event loop with socket(), WantsWrite(),
/// Process() and Tick(), or let StartThread() drive it. Publish, Subscribe and Disconnect may be called from any
/// thread.
class Client {
 public:
  /// `handler` must outlive the client. Errors: kInvalidArgument (bad options, unreadable TLS files).
  static Result<std::unique_ptr<Client>> Create(ClientOptions options, Handler& handler);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Starts a connection; name resolution blocks, the rest does not. The result comes as OnConnect or OnDisconnect.
  /// After OnDisconnect it may be called again. Errors: kUnavailable (refused at once, name not found).
  Status Connect();
  /// Sends DISCONNECT, so that a will is not published. OnDisconnect follows.
  void Disconnect();

  /// Returns the packet id that OnPublished will carry. Properties need version5. Errors: kUnavailable (not connected),
  /// kInvalidArgument.
  Result<int> Publish(const std::string& topic, std::string_view payload, int qos, bool retain = false,
                      const Properties& properties = {});
  Result<int> Subscribe(const std::string& filter, int qos);
  Status Unsubscribe(const std::string& filter);

  /// True between OnConnect(0) and OnDisconnect.
  bool connected() const;

  /// -1 while there is no connection.
  int socket() const;
  bool WantsWrite() const;
  /// `revents` as of poll(2).
  void Process(short revents);
  /// Keep-alive; call about once a second.
  void Tick();
  /// poll(2) on the socket for at most `timeout_ms`, then Process and Tick. Returns early on a signal, or when
  /// `wake_fd` (-1: none) is readable, which it does not read.
  void Poll(int timeout_ms, int wake_fd = -1);

  /// Drives the client from a thread of its own until StopThread() or the destructor. After OnDisconnect the
  /// thread idles until the next Connect().
  void StartThread();
  void StopThread();

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fleetward::mqtt
