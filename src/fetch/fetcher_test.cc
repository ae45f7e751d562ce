#include "fleetward/fetch/fetcher.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace fleetward::fetch {
namespace {

/// Answers every connection on 127.0.0.1 with the same bytes and counts them.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    socklen_t size = sizeof at;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    listen(listener_, 16);
    thread_ = std::thread([this] { Run(); });
  }
  ~OneAnswer() {
    stopping_ = true;
    thread_.join();
    close(listener_);
  }
  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }
  std::string Url(const std::string& host, const std::string& path = "/") const {
    return "http://" + host + ':' + std::to_string(port_) + path;
  }

 private:
  void Run() {
    while (!stopping_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (poll(&waiting, 1, 20) != 1) continue;
      int peer = accept(listener_, nullptr, nullptr);
      ++connections_;
      char buffer[4096];
      if (recv(peer, buffer, sizeof buffer, 0) > 0) send(peer, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      close(peer);
    }
  }
  std::string answer_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

const char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

FetchRules Loopback() {
  FetchRules rules;
  rules.loopback_only = true;
  return rules;
}

Code CodeOf(const Fetcher& fetcher, const std::string& url) {
  auto answer = fetcher.Fetch({.url = url, .headers = {}, .body = {}});
  return answer.ok() ? Code::kInternal : answer.error().code();
}

TEST(Fetcher, ThreatPUrlsThatAreNotVisited) {
  Fetcher fetcher{FetchRules()};
  for (const char* url :
       {"ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "http:///x", "http://", "", "example.com",
        "http://user@example.com/", "http://u:p@example.com/", "http://127.0.0.1/", "http://127.1/", "http://2130706433/",
        "http://0x7f000001/", "http://017700000001/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/",
        "http://0.0.0.0:80/", "http://[::]/", "http://localhost/", "http://LOCALHOST./", "http://a.localhost:8080/",
        "http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://224.0.0.1/",
        "http://example.com:0/", "http://example.com:99999/", "http://exa mple.com/", "http://example.com/\r\nX: y",
        "http://example.com/\xc3\xa4"}) {
    EXPECT_FALSE(fetcher.Check(url).ok()) << url;
    EXPECT_EQ(CodeOf(fetcher, url), Code::kInvalidArgument) << url;
  }
  auto target = fetcher.Check("https://Example.COM/hook?x=1");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->host, "example.com");
  EXPECT_EQ(target->port, 443);
  EXPECT_TRUE(target->tls);
  EXPECT_TRUE(fetcher.Check("http://192.168.0.9:8080/").ok());
  FetchRules strict;
  strict.allow_private = false;
  EXPECT_FALSE(Fetcher(strict).Check("http://192.168.0.9:8080/").ok());
}

// A name that led to a public address when it was subscribed, and to loopback when it is visited.
TEST(Fetcher, ThreatPDnsRebindingMeetsTheCheckAtTheSocket) {
  OneAnswer inner(kOk);
  FetchRules rules;
  std::vector<std::string> answers = {"127.0.0.1"};
  rules.resolver = [&](const std::string&) { return answers; };
  Fetcher fetcher(rules);
  std::string url = inner.Url("rebinds.example");
  EXPECT_TRUE(fetcher.Check(url).ok());
  EXPECT_EQ(CodeOf(fetcher, url), Code::kPermissionDenied);
  answers = {"::1"};
  EXPECT_EQ(CodeOf(fetcher, url), Code::kPermissionDenied);
  answers = {"169.254.169.254"};
  EXPECT_EQ(CodeOf(fetcher, url), Code::kPermissionDenied);
  EXPECT_EQ(inner.connections(), 0);
}

TEST(Fetcher, WithLoopbackNothingElseIsVisited) {
  OneAnswer inner(kOk);
  FetchRules rules = Loopback();
  rules.resolver = [](const std::string& host) -> std::vector<std::string> {
    return {host == "here.example" ? "127.0.0.1" : "192.0.2.1"};
  };
  Fetcher fetcher(rules);
  for (const std::string& url : {inner.Url("127.0.0.1"), inner.Url("here.example")}) {
    auto answer = fetcher.Fetch({.method = "POST", .url = url, .headers = {{"A", "b"}}, .body = "x"});
    ASSERT_TRUE(answer.ok()) << answer.error().ToString();
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "ok");
  }
  EXPECT_EQ(CodeOf(fetcher, inner.Url("there.example")), Code::kPermissionDenied);
  EXPECT_FALSE(fetcher.Check("http://192.168.1.1/").ok());
  EXPECT_FALSE(fetcher.Check("https://8.8.8.8/").ok());
}

TEST(Fetcher, ThreatPOwnPortsAreNeverVisited) {
  OneAnswer own(kOk);
  FetchRules rules = Loopback();
  rules.own_ports = {own.port()};
  Fetcher fetcher(rules);
  EXPECT_EQ(CodeOf(fetcher, own.Url("127.0.0.1")), Code::kInvalidArgument);
  rules.resolver = [](const std::string&) { return std::vector<std::string>{"127.0.0.1"}; };
  EXPECT_EQ(CodeOf(Fetcher(rules), own.Url("name.example")), Code::kPermissionDenied);
  EXPECT_EQ(own.connections(), 0);
}

TEST(Fetcher, ThreatPRedirectsAreAnAnswerNotAnOrder) {
  OneAnswer inner(kOk);
  OneAnswer redirects("HTTP/1.1 302 Found\r\nLocation: " + inner.Url("127.0.0.1") +
                      "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  auto answer = Fetcher(Loopback()).Fetch({.url = redirects.Url("127.0.0.1"), .headers = {}, .body = {}});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(inner.connections(), 0);
}

TEST(Fetcher, AnswersAreBoundedInSizeAndTime) {
  OneAnswer large("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(300000, 'x'));
  Fetcher fetcher(Loopback());
  auto answer = fetcher.Fetch(
      {.url = large.Url("127.0.0.1"), .headers = {}, .body = {}, .max_answer_bytes = 1000});
  ASSERT_TRUE(answer.ok()) << answer.error().ToString();
  EXPECT_EQ(answer->body.size(), 1000u);
  EXPECT_TRUE(answer->truncated);
  OneAnswer headers("HTTP/1.1 200 OK\r\n" + std::string(90000, 'a') + ": b\r\n\r\n");
  EXPECT_EQ(CodeOf(fetcher, headers.Url("127.0.0.1")), Code::kUnavailable);
  int listener = socket(AF_INET, SOCK_STREAM, 0);  // accepts by its backlog and says nothing
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&at), size), 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
  listen(listener, 4);
  auto silent = fetcher.Fetch({.url = "http://127.0.0.1:" + std::to_string(ntohs(at.sin_port)) + '/',
                               .headers = {}, .body = {}, .timeout = Millis(200)});
  ASSERT_FALSE(silent.ok());
  EXPECT_EQ(silent.error().code(), Code::kTimeout);
  close(listener);
}

}  // namespace
}  // namespace fleetward::fetch
