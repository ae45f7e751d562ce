// A client for tests that sends exactly the bytes it is told to, over plain TCP or TLS. Blocking, with a deadline.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>

namespace fleetward::http {

class RawClient {
 public:
  /// Connects to 127.0.0.1. `max_tls` is a version constant of OpenSSL (0: any); reads time out after `timeout`.
  RawClient(std::uint16_t port, bool tls, int max_tls = 0, std::chrono::seconds timeout = std::chrono::seconds(10)) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    timeval tv{timeout.count(), 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    if (!connected_ || !tls) return;
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context_, 0);
    if (max_tls) {
      SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
      SSL_CTX_set_max_proto_version(context_, max_tls);
    }
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    connected_ = SSL_connect(ssl_) == 1;
  }
  RawClient(const RawClient&) = delete;
  ~RawClient() {
    if (ssl_) SSL_free(ssl_);
    if (context_) SSL_CTX_free(context_);
    close(fd_);
  }

  bool connected() const { return connected_; }
  SSL* ssl() const { return ssl_; }

  /// False once the peer has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      int sent = ssl_ ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                      : static_cast<int>(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Everything until the peer closes or the time-out; `closed` says which.
  std::string ReadAll(bool* closed = nullptr) {
    std::string all;
    for (;;) {
      int count = Read(all);
      if (count > 0) continue;
      if (closed) *closed = count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
      return all;
    }
  }

  /// One answer with a Content-Length; shorter when the peer closes.
  std::string ReadAnswer() {
    std::string all = std::move(rest_);
    rest_.clear();
    for (;;) {
      std::size_t head = all.find("\r\n\r\n");
      if (head != std::string::npos) {
        std::size_t length = 0, at = all.find("Content-Length: ");
        if (at != std::string::npos && at < head) length = std::stoul(all.substr(at + 16));
        if (all.size() >= head + 4 + length) {
          rest_ = all.substr(head + 4 + length);
          return all.substr(0, head + 4 + length);
        }
      }
      if (Read(all) <= 0) return all;
    }
  }

 private:
  int Read(std::string& into) {
    char buffer[8192];
    errno = 0;
    int count = ssl_ ? SSL_read(ssl_, buffer, sizeof(buffer)) : static_cast<int>(recv(fd_, buffer, sizeof(buffer), 0));
    if (count > 0) into.append(buffer, static_cast<std::size_t>(count));
    if (count < 0 && ssl_ && errno == 0) return 0;
    return count;
  }
  int fd_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  std::string rest_;
};

}  // namespace fleetward::http
