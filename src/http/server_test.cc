#include "fleetward/http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/http/admin.h"
#include "raw_client.h"

namespace fleetward::http {
namespace {

TlsIdentity NewIdentity() {
  Timestamp now = SystemClock().Now();
  crypto::CertificateAuthority ca = crypto::CertificateAuthority::Create(now).value();
  crypto::PrivateKey key = crypto::PrivateKey::GenerateP256().value();
  crypto::Certificate leaf = ca.IssueServer(key, {"localhost", "127.0.0.1"}, now).value();
  return {leaf.Pem() + ca.certificate().Pem(), key.PrivatePem()};
}

/// Echoes what the handler saw.
Response Echo(const Request& request) {
  std::string seen = request.method + " " + request.target + "\n" + request.remote_address + "\n";
  for (const auto& [name, value] : request.headers) seen += name + "=" + value + "\n";
  return {200, {{"Content-Type", "text/plain"}}, seen + "\n" + request.body};
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() { std::signal(SIGPIPE, SIG_IGN); }  // OpenSSL's client writes to closed sockets
  void Start(ServerOptions options, Handler handler = Echo) {
    if (!options.counters) options.counters = &counters_;
    Result<std::unique_ptr<Server>> started = Server::Start(std::move(options), std::move(handler));
    ASSERT_TRUE(started.ok()) << started.error().ToString();
    server_ = std::move(started).value();
  }
  void StartPlain(ServerLimits limits = {}, Handler handler = Echo) {
    ServerOptions options;
    options.limits = limits;
    Start(std::move(options), std::move(handler));
  }
  void StartTls(ServerLimits limits = {}) {
    ServerOptions options;
    options.limits = limits;
    options.tls = NewIdentity();
    Start(std::move(options));
  }
  /// Sends bytes on a new TLS connection and returns everything up to the close.
  std::string Exchange(std::string_view bytes, bool* closed) {
    RawClient client(server_->port(), true);
    EXPECT_TRUE(client.connected());
    client.Send(bytes);
    return client.ReadAll(closed);
  }
  CounterRegistry counters_;
  std::unique_ptr<Server> server_;
};

std::size_t CountAnswers(std::string_view bytes) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = bytes.find("HTTP/1.1 ", at)) != std::string_view::npos; at += 9) ++count;
  return count;
}

TEST_F(ServerTest, HandlersSeeTheRawRequest) {
  StartTls();
  RawClient client(server_->port(), true);
  ASSERT_TRUE(client.connected());
  client.Send("POST /things/a%3Ab//x?q=a%20b+c HTTP/1.1\r\nHost: h:1\r\nX-One:  v1 \r\nx-one: v2\r\n"
              "Content-Length: 5\r\n\r\nhello");
  std::string answer = client.ReadAnswer();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("POST /things/a%3Ab//x?q=a%20b+c\n127.0.0.1\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("X-One=v1\nx-one=v2\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\nhello"));
}

TEST_F(ServerTest, KeepsConnectionsAliveAndDecodesChunks) {
  StartTls();
  RawClient client(server_->port(), true);
  for (int i = 0; i < 3; ++i) {
    client.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    EXPECT_TRUE(client.ReadAnswer().ends_with("\nabcde"));
  }
  client.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  bool closed = false;
  EXPECT_NE(client.ReadAll(&closed).find("Connection: close"), std::string::npos);
  EXPECT_TRUE(closed);
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  StartPlain();
  RawClient client(server_->port(), false);
  client.Send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.ReadAnswer().find("GET /1\n"), std::string::npos);
  EXPECT_NE(client.ReadAnswer().find("GET /2\n"), std::string::npos);
}

TEST_F(ServerTest, SendsContinueWhenAsked) {
  StartPlain();
  RawClient client(server_->port(), false);
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("ok");
  EXPECT_TRUE(client.ReadAnswer().ends_with("\nok"));
}

// threats.md l and D46: conflicting lengths and bad codings get one 4xx or 501 and a close; what follows them is
// never answered.
TEST_F(ServerTest, SmuggledRequestsAreNeverAnswered) {
  StartTls();
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string& head : {
           std::string("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           std::string("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
           std::string("Content-Length: 0\r\nContent-Length: 37\r\n\r\n"),
           std::string("Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
           std::string("Content-Length: 0, 37\r\n\r\n"), std::string("Content-Length: -1\r\n\r\n"),
           std::string("Content-Length: 0x10\r\n\r\n"), std::string("Transfer-Encoding: gzip\r\n\r\n"),
           std::string("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
           std::string("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
           std::string("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           std::string("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
           std::string("Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
           std::string("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n"),
           std::string("Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: x\r\n\r\n"),
           std::string("Authorization: a\r\nAuthorization: b\r\n\r\n"), std::string("Host: other\r\n\r\n"),
       }) {
    bool closed = false;
    std::string answer = Exchange("POST / HTTP/1.1\r\nHost: h\r\n" + head + smuggled, &closed);
    EXPECT_TRUE(closed) << head << answer;
    EXPECT_EQ(CountAnswers(answer), 1u) << head << answer;
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 501")) << head << answer;
    EXPECT_EQ(answer.find("smuggled"), std::string::npos) << head;
  }
}

TEST_F(ServerTest, NonsenseGetsOneAnswerAtMost) {
  StartPlain();
  for (std::string_view bytes : {"\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02",
                                 "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\nHost: h\n\n"}) {
    RawClient client(server_->port(), false, 0, std::chrono::seconds(3));
    client.Send(bytes);
    client.Send("GET /second HTTP/1.1\r\nHost: h\r\n\r\n");
    std::string answer = client.ReadAll();
    EXPECT_EQ(answer.find("GET /second"), std::string::npos) << bytes;
    EXPECT_LE(CountAnswers(answer), 1u) << bytes;
  }
}

// threats.md l: 1 MB headers, bodies over 1 MB.
TEST_F(ServerTest, LongHeadersAndBodiesAreRefused) {
  StartTls();
  bool closed = false;
  std::string answer = Exchange("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(1 << 20, 'a') + "\r\n\r\n", &closed);
  EXPECT_TRUE(closed);
  EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 431")) << answer.substr(0, 100);
  answer = Exchange("GET /" + std::string(40'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", &closed);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 4")) << answer.substr(0, 100);
  answer = Exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n", &closed);
  EXPECT_TRUE(closed);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413")) << answer;
  RawClient client(server_->port(), true);
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n" + std::string(1 << 20, 'b'));
  EXPECT_TRUE(client.ReadAnswer().starts_with("HTTP/1.1 200"));
}

// threats.md l: a peer that dribbles bytes gains no time.
TEST_F(ServerTest, DribbledRequestsEnd) {
  ServerLimits limits;
  limits.header_seconds = 1;
  limits.body_seconds = 1;
  StartTls(limits);
  for (std::string_view start : {"GET / HTTP/1.1\r\nHost: h\r\nX: ", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n"}) {
    RawClient client(server_->port(), true);
    client.Send(start);
    auto begin = std::chrono::steady_clock::now();
    while (client.Send("a") && std::chrono::steady_clock::now() - begin < std::chrono::seconds(8)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8)) << start;
  }
}

TEST_F(ServerTest, SilentHandshakesEnd) {
  ServerLimits limits;
  limits.handshake_seconds = 1;
  StartTls(limits);
  RawClient client(server_->port(), false, 0, std::chrono::seconds(8));
  bool closed = false;
  client.ReadAll(&closed);
  EXPECT_TRUE(closed);
}

TEST_F(ServerTest, TheDefaultDeadlinesStayWithinTheDocumentedBound) {
  ServerLimits limits;
  EXPECT_LE(limits.header_seconds + limits.body_seconds, 150);  // D46
}

// threats.md n: TLS below 1.2, renegotiation.
TEST_F(ServerTest, OldTlsAndRenegotiationAreRefused) {
  StartTls();
  EXPECT_FALSE(RawClient(server_->port(), true, TLS1_VERSION).connected());
  EXPECT_FALSE(RawClient(server_->port(), true, TLS1_1_VERSION).connected());
  RawClient old(server_->port(), true, TLS1_2_VERSION);
  ASSERT_TRUE(old.connected());
  EXPECT_EQ(SSL_renegotiate(old.ssl()), 1);
  EXPECT_NE(SSL_do_handshake(old.ssl()), 1);
}

TEST_F(ServerTest, TheCertificateIsReplacedWhileServing) {
  StartTls();
  auto fingerprint = [this] {
    RawClient client(server_->port(), true);
    X509* certificate = SSL_get1_peer_certificate(client.ssl());
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509_digest(certificate, EVP_sha256(), digest, &size);
    X509_free(certificate);
    return std::string(reinterpret_cast<char*>(digest), size);
  };
  RawClient before(server_->port(), true);
  std::string first = fingerprint();
  EXPECT_EQ(first, fingerprint());
  EXPECT_FALSE(server_->ReloadCertificate({"nonsense", "nonsense"}).ok());
  EXPECT_EQ(first, fingerprint());
  TlsIdentity other = NewIdentity();
  EXPECT_FALSE(server_->ReloadCertificate({other.chain_pem, NewIdentity().key_pem}).ok());
  ASSERT_TRUE(server_->ReloadCertificate(other).ok());
  EXPECT_NE(first, fingerprint());
  before.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(before.ReadAnswer().starts_with("HTTP/1.1 200"));
}

TEST_F(ServerTest, ConnectionsAreCapped) {
  ServerLimits limits;
  limits.connections_per_address = 2;
  StartPlain(limits);
  RawClient one(server_->port(), false), two(server_->port(), false);
  for (RawClient* client : {&one, &two}) {
    client->Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(client->ReadAnswer().starts_with("HTTP/1.1 200"));
  }
  RawClient three(server_->port(), false);
  bool closed = false;
  EXPECT_EQ(three.ReadAll(&closed), "");
  EXPECT_TRUE(closed);
}

TEST_F(ServerTest, ABlockedHandlerBlocksNobodyElseAndOverloadIsSaid) {
  ServerOptions options;
  options.handler_threads = 1;
  options.limits.queued_requests = 1;
  std::atomic<bool> entered{false}, release{false};
  Start(options, [&](const Request& request) {
    entered = true;
    while (request.target == "/slow" && !release) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return Response{200, {}, "done"};
  });
  RawClient slow(server_->port(), false), other(server_->port(), false);
  slow.Send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  while (!entered) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  other.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  std::string busy = other.ReadAnswer();
  EXPECT_TRUE(busy.starts_with("HTTP/1.1 503")) << busy;
  EXPECT_NE(busy.find("Retry-After: 1"), std::string::npos);
  release = true;
  EXPECT_TRUE(slow.ReadAnswer().ends_with("done"));
}

TEST_F(ServerTest, StopLetsRequestsFinish) {
  std::atomic<bool> entered{false};
  StartPlain({}, [&](const Request&) {
    entered = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return Response{200, {}, "finished"};
  });
  RawClient idle(server_->port(), false), busy(server_->port(), false);
  busy.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  while (!entered) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::uint16_t port = server_->port();
  server_->Stop(Millis(5000));
  bool closed = false;
  EXPECT_TRUE(busy.ReadAll(&closed).ends_with("finished"));
  EXPECT_EQ(idle.ReadAll(&closed), "");
  EXPECT_TRUE(closed);
  EXPECT_FALSE(RawClient(port, false).connected());
}

TEST_F(ServerTest, HandlersThatThrowGiveA500) {
  StartPlain({}, [](const Request&) -> Response { throw std::runtime_error("secret text"); });
  RawClient client(server_->port(), false);
  client.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  std::string answer = client.ReadAnswer();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500")) << answer;
  EXPECT_EQ(answer.find("secret text"), std::string::npos);
}

TEST(Server, RefusesWhatCannotBeServed) {
  ServerOptions options;
  options.host = "example.invalid";
  EXPECT_EQ(Server::Start(options, Echo).error().code(), Code::kInvalidArgument);
  options.host = "127.0.0.1";
  auto first = Server::Start(options, Echo);
  ASSERT_TRUE(first.ok());
  options.port = first.value()->port();
  EXPECT_EQ(Server::Start(options, Echo).error().code(), Code::kIo);
  options.tls = TlsIdentity{"x", "y"};
  EXPECT_EQ(Server::Start(options, Echo).error().code(), Code::kInvalidArgument);
}

TEST_F(ServerTest, TheAdminListenerShowsCountersAndHealth) {
  bool healthy = true;
  StartPlain({}, AdminHandler(counters_, [&] { return Health{healthy, healthy ? "ok" : "disk full"}; }));
  RawClient client(server_->port(), false);
  client.Send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.ReadAnswer().find("fleetward_http_events_total{listener=\"api\",event=\"connection\"} 1"),
            std::string::npos);
  client.Send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(client.ReadAnswer().starts_with("HTTP/1.1 200"));
  healthy = false;
  client.Send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  std::string answer = client.ReadAnswer();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503"));
  EXPECT_TRUE(answer.ends_with("disk full\n"));
  client.Send("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(client.ReadAnswer().starts_with("HTTP/1.1 405"));
}

}  // namespace
}  // namespace fleetward::http
