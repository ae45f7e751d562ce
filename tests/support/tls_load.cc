// tls_load: TLS clients that connect again and again, one thread, epoll and OpenSSL; for attacks and for
// bench/connects.
//
// tls_load --port P [--host 127.0.0.1] [--mode bare|hello|full|resumed] [--groups LIST] [--rate N | --count
// N] [--seconds S]
// [--flight 200]
//          [--cert FILE --key FILE --id TEXT] [--clean 1] [--report TOPIC] [--source A.B.C.D]
// bare: a handshake without a client certificate, closed when the client has finished its part. full: mutual
// TLS and an MQTT 3.1.1 CONNECT until the CONNACK. resumed: the same with the session of a first connection.
// --rate: starts so many a second for --seconds, however long each takes; else --count of them, --flight at a
// time. --source binds to an address. Prints one JSON line:
// {"started":…,"done":…,"failed":…,"resumed":…,"seconds":…,"p50_us":…,"p99_us":…}.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::string host = "127.0.0.1", mode = "bare", certificate, key, id = "load", source, groups, report;
  bool clean = true;
  int port = 0, flight = 200;
  long rate = 0, count = 1000;
  double seconds = 5;
};

struct Connection {
  int fd = -1;
  SSL* tls = nullptr;
  bool connected = false, sent = false, reported = false;
  long number = 0;
  Clock::time_point start;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "tls_load: %s\n", what.c_str());
  std::exit(1);
}

Settings Parse(int count, char** arguments) {
  Settings out;
  for (int i = 1; i + 1 < count; i += 2) {
    std::string name = arguments[i], value = arguments[i + 1];
    if (name == "--port")
      out.port = std::stoi(value);
    else if (name == "--host")
      out.host = value;
    else if (name == "--mode")
      out.mode = value;
    else if (name == "--rate")
      out.rate = std::stol(value);
    else if (name == "--count")
      out.count = std::stol(value);
    else if (name == "--seconds")
      out.seconds = std::stod(value);
    else if (name == "--flight")
      out.flight = std::stoi(value);
    else if (name == "--cert")
      out.certificate = value;
    else if (name == "--key")
      out.key = value;
    else if (name == "--id")
      out.id = value;
    else if (name == "--groups")
      out.groups = value;
    else if (name == "--clean")
      out.clean = value == "1";
    else if (name == "--report")
      out.report = value;
    else if (name == "--source")
      out.source = value;
    else
      Fail("no such option: " + name);
  }
  if (out.port == 0) Fail("--port is needed");
  return out;
}

class Load {
 public:
  explicit Load(Settings settings) : settings_(std::move(settings)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
    if (!settings_.certificate.empty() &&
        (SSL_CTX_use_certificate_chain_file(context_, settings_.certificate.c_str()) != 1 ||
         SSL_CTX_use_PrivateKey_file(context_, settings_.key.c_str(), SSL_FILETYPE_PEM) != 1)) {
      Fail("cannot read certificate and key");
    }
    if (!settings_.groups.empty() && SSL_CTX_set1_groups_list(context_, settings_.groups.c_str()) != 1) {
      Fail("no such groups: " + settings_.groups);
    }
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_ex_data(context_, 0, this);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* tls, SSL_SESSION* session) {
      auto* self = static_cast<Load*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(tls), 0));
      if (self->settings_.mode != "resumed" || self->session_ != nullptr) return 0;
      self->session_ = session;
      return 1;
    });
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<std::uint16_t>(settings_.port));
    if (inet_pton(AF_INET, settings_.host.c_str(), &address_.sin_addr) != 1)
      Fail("not an address: " + settings_.host);
    if (settings_.mode == "hello") Record();
  }

  void Run() {
    if (settings_.mode == "resumed") First();
    Clock::time_point begin = Clock::now();
    auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
    bool by_rate = settings_.rate > 0;
    for (;;) {
      double now = elapsed();
      long due =
          by_rate ? static_cast<long>(std::min(now, settings_.seconds) * static_cast<double>(settings_.rate))
                  : settings_.count;
      while (started_ < due && static_cast<int>(open_.size()) < settings_.flight) Start();
      if (by_rate && now >= settings_.seconds) break;
      if (!by_rate && started_ >= due && open_.empty()) break;
      Wait(by_rate ? 1 : 100);
    }
    Print(elapsed());
  }

 private:
  static std::string Numbered(const std::string& text, long number) {
    std::size_t at = text.find("%d");
    return at == std::string::npos ? text : text.substr(0, at) + std::to_string(number) + text.substr(at + 2);
  }

  static void AppendText(std::string& out, const std::string& text) {
    out.push_back(static_cast<char>(text.size() >> 8));
    out.push_back(static_cast<char>(text.size()));
    out += text;
  }

  static std::string Packet(char kind, const std::string& body) {
    std::string out(1, kind);
    if (body.size() > 127) out.push_back(static_cast<char>((body.size() & 127) | 128));
    out.push_back(static_cast<char>(body.size() > 127 ? body.size() >> 7 : body.size()));
    return out + body;
  }

  /// A CONNECT of MQTT 3.1.1, keep-alive 60 s.
  std::string Connect(long number) const {
    std::string body;
    AppendText(body, "MQTT");
    body += {4, static_cast<char>(settings_.clean ? 2 : 0), 0, 60};
    AppendText(body, Numbered(settings_.id, number));
    return Packet(0x10, body);
  }

  std::string Report(long number) const {
    std::string body;
    AppendText(body, Numbered(settings_.report, number));
    body += {0, 1};
    return Packet(0x32, body + "{\"header\":{\"report_id\":" + std::to_string(number + 1) +
                            ",\"version\":\"1.0\"},\"metrics\":{}}");
  }

  /// A ClientHello as it goes over the wire.
  void Record() {
    SSL* tls = SSL_new(context_);
    BIO* out = BIO_new(BIO_s_mem());
    SSL_set_bio(tls, BIO_new(BIO_s_mem()), out);
    SSL_connect(tls);
    char* bytes = nullptr;
    long size = BIO_get_mem_data(out, &bytes);
    hello_.assign(bytes, static_cast<std::size_t>(size));
    SSL_free(tls);
  }

  /// Connects until a session to resume is there.
  void First() {
    for (int i = 0; i < 10 && session_ == nullptr; ++i) {
      Start();
      while (!open_.empty()) Wait(100);
    }
    if (session_ == nullptr) Fail("the server gives no session tickets");
    started_ = done_ = failed_ = resumed_ = 0;
    times_.clear();
  }

  void Start() {
    Connection c;
    c.number = started_++;
    c.start = Clock::now();
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c.fd < 0) Fail("socket: " + std::string(std::strerror(errno)));
    int one = 1;
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    linger reset{1, 0};  // no TIME_WAIT: thousands of ports would be used up
    setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (!settings_.source.empty()) {
      sockaddr_in from{};
      from.sin_family = AF_INET;
      inet_pton(AF_INET, settings_.source.c_str(), &from.sin_addr);
      setsockopt(c.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
      if (bind(c.fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0) Fail("bind " + settings_.source);
    }
    if (connect(c.fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0 && errno != EINPROGRESS) {
      ++failed_;
      close(c.fd);
      return;
    }
    c.tls = SSL_new(context_);
    SSL_set_fd(c.tls, c.fd);
    if (session_ != nullptr) {
      SSL_SESSION* copy = SSL_SESSION_dup(session_);  // a session of TLS 1.3 is resumed once and then marked
      SSL_set_session(c.tls, copy);
      SSL_SESSION_free(copy);
    }
    SSL_set_connect_state(c.tls);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.fd = c.fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
    open_[c.fd] = c;
  }

  void Wait(int milliseconds) {
    epoll_event events[64];
    int count = epoll_wait(epoll_, events, 64, milliseconds);
    for (int i = 0; i < count; ++i) {
      auto it = open_.find(events[i].data.fd);
      if (it != open_.end()) Step(it->second);
    }
  }

  void Step(Connection& c) {
    if (settings_.mode == "hello") return StepHello(c);
    if (!c.connected) {
      int result = SSL_connect(c.tls);
      if (result != 1) {
        if (!Again(c, result)) End(c, false);
        return;
      }
      c.connected = true;
      if (settings_.mode == "bare") return End(c, true);
    }
    if (!c.sent) {
      c.sent = true;
      if (!Write(c, Connect(c.number))) return End(c, false);
    }
    for (;;) {
      unsigned char answer[64];
      int n = SSL_read(c.tls, answer, sizeof answer);
      if (n <= 0) {
        if (!Again(c, n)) End(c, false);
        return;
      }
      bool accepted = n >= 4 && (c.reported ? answer[0] == 0x40 : answer[0] == 0x20 && answer[3] == 0);
      if (!accepted || c.reported || settings_.report.empty()) return End(c, accepted);
      c.reported = true;
      if (!Write(c, Report(c.number))) return End(c, false);
    }
  }

  /// A few bytes: they always fit.
  static bool Write(const Connection& c, const std::string& bytes) {
    return SSL_write(c.tls, bytes.data(), static_cast<int>(bytes.size())) > 0;
  }

  void StepHello(Connection& c) {
    if (!c.sent) {
      ssize_t n = send(c.fd, hello_.data(), hello_.size(), MSG_NOSIGNAL);
      if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
      c.sent = true;
      if (n != static_cast<ssize_t>(hello_.size())) return End(c, false);
    }
    unsigned char answer[1];
    ssize_t n = recv(c.fd, answer, 1, 0);
    if (n < 0 && errno == EAGAIN) return;
    End(c, n == 1 && answer[0] == 22);
  }

  static bool Again(const Connection& c, int result) {
    int error = SSL_get_error(c.tls, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  void End(Connection& c, bool good) {
    if (good) {
      ++done_;
      resumed_ += SSL_session_reused(c.tls);
      times_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - c.start).count());
    } else {
      ++failed_;
    }
    int fd = c.fd;
    SSL_free(c.tls);
    close(fd);
    open_.erase(fd);
  }

  void Print(double seconds) {
    std::sort(times_.begin(), times_.end());
    auto at = [&](double part) {
      return times_.empty() ? 0
                            : times_[static_cast<std::size_t>(part * static_cast<double>(times_.size() - 1))];
    };
    std::printf(
        "{\"started\":%ld,\"done\":%ld,\"failed\":%ld,\"resumed\":%ld,\"seconds\":%.3f,\"p50_us\":%.0f,\"p99_"
        "us\":%.0f}\n",
        started_, done_, failed_, resumed_, seconds, at(0.5), at(0.99));
  }

  Settings settings_;
  int epoll_;
  SSL_CTX* context_;
  SSL_SESSION* session_ = nullptr;
  sockaddr_in address_{};
  std::string hello_;
  std::unordered_map<int, Connection> open_;
  long started_ = 0, done_ = 0, failed_ = 0, resumed_ = 0;
  std::vector<double> times_;
};

}  // namespace

int main(int count, char** arguments) {
  Load(Parse(count, arguments)).Run();
  return 0;
}
