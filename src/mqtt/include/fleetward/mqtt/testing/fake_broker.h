// A broker for tests on a Unix socket that accepts every connection and acknowledges no message: what was sent stays in
// flight.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "fleetward/base/file.h"

namespace fleetward::mqtt {

class FakeBroker {
 public:
  struct Packet {
    int type = 0;      // MQTT 3.1.1, 2.2.1; 0: none came
    std::string body;  // behind the fixed header
  };
  static constexpr int kConnect = 1, kPublish = 3;

  explicit FakeBroker(const std::string& path) : listener_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ok_ = bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
          listen(listener_.get(), 4) == 0;
  }
  bool ok() const { return ok_; }

  /// Waits for a client, reads its CONNECT and takes it.
  bool Accept() {
    if (!Readable(listener_)) return false;
    client_ = Fd(accept(listener_.get(), nullptr, nullptr));
    Packet connect = Read();
    constexpr std::size_t kLevel = 6;
    if (connect.type != kConnect || connect.body.size() <= kLevel) return false;
    // MQTT 5 has properties behind the rest: none.
    if (connect.body[kLevel] == 5) return write(client_.get(), "\x20\x03\0\0\0", 5) == 5;
    return write(client_.get(), "\x20\x02\0\0", 4) == 4;
  }
  /// The next packet, or none within five seconds.
  Packet Read() {
    Packet packet;
    unsigned char byte = 0;
    if (!ReadByte(byte)) return packet;
    int type = byte >> 4;
    std::size_t size = 0;
    for (int shift = 0;; shift += 7) {
      if (!ReadByte(byte)) return packet;
      size |= static_cast<std::size_t>(byte & 127) << shift;
      if ((byte & 128) == 0) break;
    }
    while (packet.body.size() < size) {
      if (!ReadByte(byte)) return {};
      packet.body += static_cast<char>(byte);
    }
    packet.type = type;
    return packet;
  }
  void Drop() { client_ = Fd(); }

 private:
  static bool Readable(const Fd& fd) {
    pollfd wait{fd.get(), POLLIN, 0};
    return poll(&wait, 1, 5000) == 1;
  }
  bool ReadByte(unsigned char& byte) { return Readable(client_) && read(client_.get(), &byte, 1) == 1; }

  Fd listener_, client_;
  bool ok_ = false;
};

}  // namespace fleetward::mqtt
