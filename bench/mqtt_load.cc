// mqtt_load: MQTT 3.1.1 publishers over mutual TLS, one thread, epoll and OpenSSL; the load of the broker benchmarks.
//
// mqtt_load --port P --ca FILE --cert FILE --key FILE [--conns 500] [--msgs 100000] [--size 1024] [--topic TEXT]
//           [--id TEXT] [--answers] [--route SOCKET] [--payloads FILE] [--first N]
// In --topic, --id, --cert and --key a %d becomes the connection's number. Each connection keeps one QoS 1 publish in
// flight until --msgs were acknowledged in all. With --answers it subscribes to TOPIC/accepted and the next publish
// waits for an answer there instead of the PUBACK. With --route the answers come from here: for each PUBACK 150 bytes
// are published through the broker's plain Unix socket, in as few writes as possible. --payloads: one payload a line, in
// which 1000000000 becomes the message's number; connection n takes the four lines from 4n on in turn.
// Numbers go on from --first, so that reports of later runs are new. Prints "up" when all are connected, waits for a line on stdin, then runs and prints one JSON line:
// {"messages":…,"seconds":…,"p50_us":…,"p99_us":…}.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  int port = 0, connections = 500, size = 1024;
  long messages = 100000, first = 0;
  bool answers = false;
  std::string ca, certificate, key, route, payloads;
  std::string topic = "$aws/things/dev%d/defender/metrics/json", id = "dev%d";
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "mqtt_load: %s\n", what.c_str());
  std::exit(1);
}

std::string Numbered(const std::string& text, int number) {
  std::size_t at = text.find("%d");
  return at == std::string::npos ? text : text.substr(0, at) + std::to_string(number) + text.substr(at + 2);
}

void AppendText(std::string& out, std::string_view text) {
  out.push_back(static_cast<char>(text.size() >> 8));
  out.push_back(static_cast<char>(text.size()));
  out.append(text);
}

std::string Packet(std::uint8_t kind, std::string_view body) {
  std::string out(1, static_cast<char>(kind));
  std::size_t size = body.size();
  do {
    auto byte = static_cast<std::uint8_t>(size & 127);
    size >>= 7;
    out.push_back(static_cast<char>(byte | (size > 0 ? 128 : 0)));
  } while (size > 0);
  return out.append(body);
}

/// Where a payload holds the message's number.
constexpr std::string_view kNumber = "1000000000";
constexpr std::size_t kVariants = 4;

struct Payload {
  std::string head, tail;
};

/// One device. States follow each other: TLS, CONNECT, SUBSCRIBE (with answers), ready.
struct Device {
  int fd = -1;
  SSL* tls = nullptr;
  int number = 0;
  bool handshaken = false, ready = false, wants_write = false;
  std::uint16_t packet_id = 1;
  std::size_t variant = 0;
  std::string topic, out, in;
  std::size_t written = 0;
  Clock::time_point sent;
};

class Load {
 public:
  explicit Load(Settings settings) : settings_(std::move(settings)), devices_(settings_.connections) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    context_ = SSL_CTX_new(TLS_client_method());
    if (SSL_CTX_load_verify_locations(context_, settings_.ca.c_str(), nullptr) != 1) Fail("cannot read " + settings_.ca);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (settings_.payloads.empty()) {
      MakePayload();
    } else {
      ReadPayloads();
    }
    if (!settings_.route.empty()) OpenRoute();
  }

  void ConnectAll() {
    int started = 0;
    while (ready_ < settings_.connections) {
      while (started < settings_.connections && started - ready_ < 64) Open(devices_[started], started), ++started;
      Turn();
    }
  }

  void Run() {
    auto start = Clock::now();
    running_ = true;
    for (Device& device : devices_) Publish(device);
    while (acknowledged_ < settings_.messages) Turn();
    double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::sort(latencies_us_.begin(), latencies_us_.end());
    auto rank = [this](double share) {
      return latencies_us_[static_cast<std::size_t>(share * static_cast<double>(latencies_us_.size() - 1))];
    };
    std::printf("{\"messages\":%ld,\"seconds\":%.3f,\"p50_us\":%.0f,\"p99_us\":%.0f}\n", acknowledged_, seconds,
                rank(0.5), rank(0.99));
    std::fflush(stdout);
  }

 private:
  /// A report that parses: its id is the message's number, the rest pads to the size.
  void MakePayload() {
    std::string head = "{\"header\":{\"report_id\":";
    std::string tail = ",\"version\":\"1.0\"},\"metrics\":{\"listening_tcp_ports\":{\"ports\":[";
    std::string port = "{\"interface\":\"eth0\",\"port\":24207}";
    std::size_t wanted = static_cast<std::size_t>(settings_.size);
    while (head.size() + 10 + tail.size() + port.size() + 16 < wanted) {
      if (tail.back() == '}') tail += ",";
      tail += port;
    }
    tail += "],\"total\":1}}}";
    while (head.size() + 10 + tail.size() < wanted) tail += " ";
    payloads_.push_back({head, tail});
  }

  void ReadPayloads() {
    std::ifstream file(settings_.payloads);
    for (std::string line; std::getline(file, line);) {
      std::size_t at = line.find(kNumber);
      if (at == std::string::npos) Fail("a payload without a number");
      payloads_.push_back({line.substr(0, at), line.substr(at + kNumber.size())});
    }
    if (payloads_.empty()) Fail("cannot read " + settings_.payloads);
  }

  /// The connection that publishes answers in the service's place; blocking, it never waits for the broker.
  void OpenRoute() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (settings_.route.size() >= sizeof address.sun_path) Fail("the socket's path is too long");
    std::memcpy(address.sun_path, settings_.route.data(), settings_.route.size());
    route_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(route_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      Fail("cannot reach " + settings_.route);
    }
    std::string body;
    AppendText(body, "MQTT");
    body.append("\x04\x02\0\0", 4);
    AppendText(body, "answers");
    std::string connect = Packet(0x10, body);
    char answer[4];
    if (::send(route_, connect.data(), connect.size(), 0) < 0 || ::recv(route_, answer, 4, MSG_WAITALL) != 4 ||
        answer[3] != 0) {
      Fail("the answering connection was refused");
    }
  }

  void FlushRoute() {
    for (std::size_t sent = 0; sent < routed_.size();) {
      ssize_t done = ::send(route_, routed_.data() + sent, routed_.size() - sent, MSG_NOSIGNAL);
      if (done <= 0) Fail("the answering connection was closed");
      sent += static_cast<std::size_t>(done);
    }
    routed_.clear();
  }

  void Open(Device& device, int number) {
    device.number = number;
    device.topic = Numbered(settings_.topic, number);
    device.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (device.fd < 0) Fail("no socket: raise the open-file limit");
    int on = 1;
    ::setsockopt(device.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(settings_.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(device.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
      Fail("cannot connect");
    }
    device.tls = SSL_new(context_);
    if (SSL_use_certificate_file(device.tls, Numbered(settings_.certificate, number).c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_use_PrivateKey_file(device.tls, Numbered(settings_.key, number).c_str(), SSL_FILETYPE_PEM) != 1) {
      Fail("cannot read the client's certificate or key");
    }
    SSL_set_fd(device.tls, device.fd);
    SSL_set_connect_state(device.tls);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.ptr = &device;
    device.wants_write = true;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, device.fd, &event);
  }

  void Want(Device& device, bool write) {
    if (device.wants_write == write) return;
    device.wants_write = write;
    epoll_event event{};
    event.events = EPOLLIN | (write ? EPOLLOUT : 0u);
    event.data.ptr = &device;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, device.fd, &event);
  }

  void Turn() {
    epoll_event events[256];
    int count = ::epoll_wait(epoll_, events, 256, 30000);
    if (count == 0) Fail("nothing happened for 30 s");
    for (int i = 0; i < count; ++i) Serve(*static_cast<Device*>(events[i].data.ptr));
    if (!routed_.empty()) FlushRoute();
  }

  void Serve(Device& device) {
    if (!device.handshaken) {
      int done = SSL_do_handshake(device.tls);
      if (done != 1) {
        int error = SSL_get_error(device.tls, done);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) Fail("the TLS handshake failed");
        return Want(device, error == SSL_ERROR_WANT_WRITE);
      }
      device.handshaken = true;
      std::string body;
      AppendText(body, "MQTT");
      body.append("\x04\x02\x0e\x10", 4);  // 3.1.1, clean session, keep-alive an hour: connecting many takes a while
      AppendText(body, Numbered(settings_.id, device.number));
      Send(device, Packet(0x10, body));
      return;
    }
    Read(device);
    Flush(device);
  }

  void Send(Device& device, std::string_view bytes) {
    device.out.append(bytes);
    Flush(device);
  }

  void Flush(Device& device) {
    while (device.written < device.out.size()) {
      int size = static_cast<int>(std::min<std::size_t>(device.out.size() - device.written, 16384));
      int sent = SSL_write(device.tls, device.out.data() + device.written, size);
      if (sent <= 0) return Want(device, true);
      device.written += static_cast<std::size_t>(sent);
    }
    device.out.clear();
    device.written = 0;
    Want(device, false);
  }

  void Read(Device& device) {
    char buffer[4096];
    for (;;) {
      int got = SSL_read(device.tls, buffer, sizeof buffer);
      if (got <= 0) {
        int error = SSL_get_error(device.tls, got);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
        Fail("connection " + std::to_string(device.number) + " was closed");
      }
      device.in.append(buffer, static_cast<std::size_t>(got));
      while (TakePacket(device)) {
      }
    }
  }

  bool TakePacket(Device& device) {
    std::size_t size = 0, at = 1;
    for (int shift = 0;; shift += 7, ++at) {
      if (at >= device.in.size()) return false;
      auto byte = static_cast<std::uint8_t>(device.in[at]);
      size |= static_cast<std::size_t>(byte & 127) << shift;
      if ((byte & 128) == 0) break;
    }
    if (device.in.size() < at + 1 + size) return false;
    auto kind = static_cast<std::uint8_t>(device.in[0]);
    std::string body = device.in.substr(at + 1, size);
    device.in.erase(0, at + 1 + size);
    Take(device, kind, body);
    return true;
  }

  void Take(Device& device, std::uint8_t kind, const std::string& body) {
    switch (kind & 0xf0) {
      case 0x20:  // CONNACK
        if (body.size() < 2 || body[1] != 0) Fail("CONNECT was refused");
        if (!settings_.answers) return Ready(device);
        Subscribe(device);
        return;
      case 0x90: return Ready(device);
      case 0x40:  // PUBACK
        if (!settings_.answers) Completed(device);
        if (route_ >= 0) Route(device);
        return;
      case 0x30:
        if ((kind & 6) != 0) {  // QoS 1: the packet id follows the topic
          std::size_t topic = static_cast<std::size_t>(static_cast<std::uint8_t>(body[0])) << 8 |
                              static_cast<std::uint8_t>(body[1]);
          Send(device, Packet(0x40, std::string_view(body).substr(2 + topic, 2)));
        }
        if (settings_.answers) Completed(device);
        return;
      default: return;
    }
  }

  void Route(const Device& device) {
    std::string body;
    AppendText(body, device.topic + "/accepted");
    body.append(150, 'a');
    routed_ += Packet(0x30, body);
  }

  void Subscribe(Device& device) {
    std::string body("\0\1", 2);
    AppendText(body, device.topic + "/accepted");
    body.push_back(0);
    Send(device, Packet(0x82, body));
  }

  void Ready(Device& device) {
    if (std::exchange(device.ready, true)) return;
    ++ready_;
  }

  void Completed(Device& device) {
    ++acknowledged_;
    latencies_us_.push_back(std::chrono::duration<float, std::micro>(Clock::now() - device.sent).count());
    if (running_) Publish(device);
  }

  void Publish(Device& device) {
    if (published_ >= settings_.messages) return;
    ++published_;
    char number[24];
    std::snprintf(number, sizeof number, "%010ld", 1000000000 + settings_.first + published_);
    std::string body;
    AppendText(body, device.topic);
    body.push_back(static_cast<char>(device.packet_id >> 8));
    body.push_back(static_cast<char>(device.packet_id));
    if (++device.packet_id == 0) device.packet_id = 1;
    std::size_t line = static_cast<std::size_t>(device.number) * kVariants + device.variant++ % kVariants;
    const Payload& payload = payloads_[line % payloads_.size()];
    body.append(payload.head).append(number).append(payload.tail);
    device.sent = Clock::now();
    Send(device, Packet(0x32, body));
  }

  Settings settings_;
  std::vector<Device> devices_;
  int epoll_ = -1;
  SSL_CTX* context_ = nullptr;
  std::vector<Payload> payloads_;
  int route_ = -1;
  std::string routed_;
  int ready_ = 0;
  bool running_ = false;
  long published_ = 0, acknowledged_ = 0;
  std::vector<float> latencies_us_;
};

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--answers") {
      settings.answers = true;
      continue;
    }
    if (i + 1 >= argc) Fail("missing value of " + name);
    std::string value = argv[++i];
    if (name == "--port") settings.port = std::atoi(value.c_str());
    else if (name == "--conns") settings.connections = std::atoi(value.c_str());
    else if (name == "--msgs") settings.messages = std::atol(value.c_str());
    else if (name == "--size") settings.size = std::atoi(value.c_str());
    else if (name == "--ca") settings.ca = value;
    else if (name == "--cert") settings.certificate = value;
    else if (name == "--key") settings.key = value;
    else if (name == "--topic") settings.topic = value;
    else if (name == "--first") settings.first = std::atol(value.c_str());
    else if (name == "--route") settings.route = value;
    else if (name == "--payloads") settings.payloads = value;
    else if (name == "--id") settings.id = value;
    else Fail("unknown option " + name);
  }
  Load load(std::move(settings));
  load.ConnectAll();
  std::puts("up");
  std::fflush(stdout);
  if (std::getchar() == EOF) return 0;
  load.Run();
}
