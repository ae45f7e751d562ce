#include "fleetward/http/server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "fleetward/base/counters.h"
#include "fleetward/base/log.h"
#include "head_check.h"

namespace fleetward::http {
namespace {

namespace net = boost::asio;
namespace ssl = boost::asio::ssl;
namespace beast = boost::beast;
using net::ip::tcp;
using boost::system::error_code;
using std::chrono::seconds;

constexpr auto kAwait = net::as_tuple(net::use_awaitable);
constexpr std::size_t kLingerBytes = 256 * 1024;
constexpr seconds kLingerTime{2};

using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

/// RFC 9110's date form.
std::string HttpDate() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char buffer[40];
  std::strftime(buffer, sizeof(buffer), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return buffer;
}

Result<std::shared_ptr<ssl::context>> MakeContext(const TlsIdentity& identity) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* raw = context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  // Without the finite-field groups of OpenSSL's list: one ClientHello for ffdhe8192 takes 10 ms of the server.
  SSL_CTX_set1_groups_list(raw, "X25519:P-256:P-384:P-521");
  error_code ec;
  context->use_certificate_chain(net::buffer(identity.chain_pem), ec);
  if (ec) return Error(Code::kInvalidArgument, "the server's certificate chain is unreadable: " + ec.message());
  context->use_private_key(net::buffer(identity.key_pem), ssl::context::pem, ec);
  if (ec) return Error(Code::kInvalidArgument, "the server's key is unreadable: " + ec.message());
  if (SSL_CTX_check_private_key(raw) != 1) {
    return Error(Code::kInvalidArgument, "the server's key does not belong to its certificate");
  }
  return context;
}

/// Status of an answer to bytes that are no request, or 0 when the peer is just gone.
int StatusOf(const error_code& ec) {
  namespace bh = beast::http;
  if (ec == bh::error::header_limit || ec == bh::error::buffer_overflow) return 431;
  if (ec == bh::error::body_limit) return 413;
  if (ec == bh::error::end_of_stream || ec == bh::error::partial_message) return 0;
  if (ec == bh::error::bad_version) return 505;
  return ec.category() == bh::make_error_code(bh::error::bad_method).category() ? 400 : 0;
}

template <class Message>
Request HeadOf(const Message& message, const std::string& address) {
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.remote_address = address;
  for (const auto& field : message) {
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  return request;
}

Response Refusal(int status, std::string_view why) {
  return {status, {{"Content-Type", "application/json"}}, "{\"message\":\"" + std::string(why) + "\"}", true};
}

}  // namespace

struct Server::State {
  /// One connection, known to Stop.
  struct Connection {
    std::string address;
    std::function<void()> close;  // posts to the connection's strand
    std::atomic<bool> idle{true};
  };

  State(ServerOptions o, Handler h)
      : options(std::move(o)), handler(std::move(h)), acceptor(io), work(net::make_work_guard(io)),
        handlers(static_cast<std::size_t>(std::max(1, options.handler_threads))) {}

  Status Listen();
  void Run();
  void Stop(Millis grace);
  net::awaitable<void> AcceptLoop();
  bool Admit(const std::string& address);
  void Forget(const std::shared_ptr<Connection>& connection);
  net::awaitable<void> ServePlain(tcp::socket socket, std::shared_ptr<Connection> connection);
  net::awaitable<void> ServeTls(tcp::socket socket, std::shared_ptr<Connection> connection);
  template <class Stream>
  net::awaitable<void> Requests(Stream& stream, Connection& connection);
  template <class Stream>
  net::awaitable<bool> OneRequest(Stream& stream, beast::flat_buffer& buffer, Connection& connection);
  template <class Stream>
  net::awaitable<bool> Answer(Stream& stream, const Response& response, bool keep_alive, bool head_only);
  template <class Stream>
  net::awaitable<void> Refuse(Stream& stream, int status, std::string_view why);
  template <class Stream>
  net::awaitable<void> Linger(Stream& stream);
  net::awaitable<Response> Handle(const Request& request);
  void Count(const char* what);

  ServerOptions options;
  Handler handler;
  net::io_context io{1};
  tcp::acceptor acceptor;
  net::executor_work_guard<net::io_context::executor_type> work;
  net::thread_pool handlers;
  std::thread thread;
  std::atomic<std::uint32_t> queued{0};
  std::atomic<bool> stopping{false};
  std::uint16_t port = 0;

  std::mutex mutex;  // of what follows
  std::condition_variable gone;
  std::shared_ptr<ssl::context> tls;
  std::set<std::shared_ptr<Connection>> connections;
  std::map<std::string, std::uint32_t> per_address;
};

void Server::State::Count(const char* what) {
  if (!options.counters) return;
  options.counters
      ->AddCounter("fleetward_http_events_total", "What happened to connections and requests, by listener",
                   "listener=\"" + options.name + "\",event=\"" + what + "\"")
      .Add();
}

Status Server::State::Listen() {
  error_code ec;
  net::ip::address address = net::ip::make_address(options.host, ec);
  if (ec) return Error(Code::kInvalidArgument, "'" + options.host + "' is no IP address to listen on");
  tcp::endpoint endpoint(address, options.port);
  std::string where = options.host + ":" + std::to_string(options.port);
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(net::socket_base::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(1024, ec);
  if (ec) return Error(Code::kIo, "listening on " + where + ": " + ec.message());
  port = acceptor.local_endpoint(ec).port();
  return {};
}

void Server::State::Run() {
  net::co_spawn(io, AcceptLoop(), net::detached);
  thread = std::thread([this] { io.run(); });
}

bool Server::State::Admit(const std::string& address) {
  std::lock_guard lock(mutex);
  if (connections.size() >= options.limits.connections) return false;
  std::uint32_t& count = per_address[address];
  if (count >= options.limits.connections_per_address) return false;
  ++count;
  return true;
}

void Server::State::Forget(const std::shared_ptr<Connection>& connection) {
  std::lock_guard lock(mutex);
  connections.erase(connection);
  auto found = per_address.find(connection->address);
  if (found != per_address.end() && --found->second == 0) per_address.erase(found);
  if (connections.empty()) gone.notify_all();
}

net::awaitable<void> Server::State::AcceptLoop() {
  while (!stopping) {
    auto [ec, socket] = co_await acceptor.async_accept(net::make_strand(io), kAwait);
    if (stopping || ec == net::error::operation_aborted) co_return;
    if (ec) {
      // Out of descriptors, most likely: give others time to end.
      Count("accept_failed");
      net::steady_timer pause(io, std::chrono::milliseconds(100));
      co_await pause.async_wait(kAwait);
      continue;
    }
    error_code ignored;
    tcp::endpoint peer = socket.remote_endpoint(ignored);
    std::string address = peer.address().to_string();
    if (!Admit(address)) {
      Count("connection_refused");
      socket.close(ignored);
      continue;
    }
    Count("connection");
    socket.set_option(tcp::no_delay(true), ignored);
    auto connection = std::make_shared<Connection>();
    connection->address = std::move(address);
    auto executor = socket.get_executor();
    auto serve = options.tls ? ServeTls(std::move(socket), connection) : ServePlain(std::move(socket), connection);
    net::co_spawn(executor, std::move(serve), [this, connection](std::exception_ptr) { Forget(connection); });
  }
}

net::awaitable<void> Server::State::ServePlain(tcp::socket socket, std::shared_ptr<Connection> connection) {
  auto stream = std::make_shared<PlainStream>(std::move(socket));
  std::weak_ptr<PlainStream> weak = stream;
  {
    std::lock_guard lock(mutex);
    connection->close = [weak, executor = stream->get_executor()] {
      net::post(executor, [weak] {
        if (auto alive = weak.lock()) alive->close();
      });
    };
    connections.insert(connection);
  }
  co_await Requests(*stream, *connection);
}

net::awaitable<void> Server::State::ServeTls(tcp::socket socket, std::shared_ptr<Connection> connection) {
  std::shared_ptr<ssl::context> context;
  std::shared_ptr<TlsStream> stream;
  {
    std::lock_guard lock(mutex);
    context = tls;
    stream = std::make_shared<TlsStream>(std::move(socket), *context);
    std::weak_ptr<TlsStream> weak = stream;
    connection->close = [weak, executor = stream->get_executor()] {
      net::post(executor, [weak] {
        if (auto alive = weak.lock()) beast::get_lowest_layer(*alive).close();
      });
    };
    connections.insert(connection);
  }
  beast::get_lowest_layer(*stream).expires_after(seconds(options.limits.handshake_seconds));
  auto [ec] = co_await stream->async_handshake(ssl::stream_base::server, kAwait);
  if (ec) {
    Count("handshake_failed");
    co_return;
  }
  co_await Requests(*stream, *connection);
  beast::get_lowest_layer(*stream).expires_after(kLingerTime);
  co_await stream->async_shutdown(kAwait);
}

template <class Stream>
net::awaitable<void> Server::State::Requests(Stream& stream, Connection& connection) {
  beast::flat_buffer buffer(options.limits.header_bytes + 64 * 1024);
  while (co_await OneRequest(stream, buffer, connection)) {
  }
}

/// Reads and answers one request; false when the connection is to end.
template <class Stream>
net::awaitable<bool> Server::State::OneRequest(Stream& stream, beast::flat_buffer& buffer, Connection& connection) {
  auto& lowest = beast::get_lowest_layer(stream);
  beast::http::request_parser<beast::http::string_body> parser;
  parser.header_limit(options.limits.header_bytes);
  parser.body_limit(options.limits.body_bytes);
  // One deadline for all reads of a part: a peer that dribbles bytes gains no time.
  lowest.expires_after(seconds(options.limits.header_seconds));
  connection.idle = true;
  if (stopping) co_return false;
  auto [head_ec, head_size] = co_await beast::http::async_read_header(stream, buffer, parser, kAwait);
  connection.idle = false;
  if (head_ec) {
    if (int status = StatusOf(head_ec)) {
      std::string why = "The request is malformed: " + head_ec.message();
      co_await Refuse(stream, status, why);
    }
    co_return false;
  }
  auto& message = parser.get();
  Request request = HeadOf(message, connection.address);
  if (auto rejected = CheckHead(request, message.version())) {
    co_await Refuse(stream, rejected->status, rejected->why);
    co_return false;
  }
  lowest.expires_after(seconds(options.limits.body_seconds));
  if (request.FindHeader("expect")) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    auto [ec, size] = co_await net::async_write(stream, net::buffer(kContinue), kAwait);
    if (ec) co_return false;
  }
  if (!parser.is_done()) {
    auto [body_ec, body_size] = co_await beast::http::async_read(stream, buffer, parser, kAwait);
    if (body_ec) {
      if (int status = StatusOf(body_ec)) {
        co_await Refuse(stream, status, "The request's body is malformed or too long");
      }
      co_return false;
    }
  }
  // Fields of a chunked body's trailer would be headers that nobody checked.
  if (std::distance(message.begin(), message.end()) != static_cast<std::ptrdiff_t>(request.headers.size())) {
    co_await Refuse(stream, 400, "Trailer fields are not supported");
    co_return false;
  }
  request.body = std::move(message.body());
  bool keep_alive = message.keep_alive();
  bool head_only = request.method == "HEAD";
  lowest.expires_never();
  Response response = co_await Handle(request);
  keep_alive = keep_alive && !response.close && !stopping;
  co_return co_await Answer(stream, response, keep_alive, head_only) && keep_alive;
}

template <class Stream>
net::awaitable<bool> Server::State::Answer(Stream& stream, const Response& response, bool keep_alive, bool head_only) {
  std::string bytes = Serialize(response, keep_alive, head_only, HttpDate());
  beast::get_lowest_layer(stream).expires_after(seconds(options.limits.write_seconds));
  auto [ec, size] = co_await net::async_write(stream, net::buffer(bytes), kAwait);
  co_return !ec;
}

/// One answer, and no more reading of requests.
template <class Stream>
net::awaitable<void> Server::State::Refuse(Stream& stream, int status, std::string_view why) {
  Count("bad_request");
  // A named object: GCC 12 destroys some temporaries inside co_await twice.
  Response refusal = Refusal(status, why);
  co_await Answer(stream, refusal, false, false);
  co_await Linger(stream);
}

/// Ends our side, then reads on for a moment: a reset would destroy the answer on its way.
template <class Stream>
net::awaitable<void> Server::State::Linger(Stream& stream) {
  auto& lowest = beast::get_lowest_layer(stream);
  lowest.expires_after(kLingerTime);
  if constexpr (std::is_same_v<Stream, TlsStream>) co_await stream.async_shutdown(kAwait);
  error_code ignored;
  lowest.socket().shutdown(tcp::socket::shutdown_send, ignored);
  char scratch[4096];
  for (std::size_t total = 0; total < kLingerBytes;) {
    auto [ec, size] = co_await lowest.async_read_some(net::buffer(scratch), kAwait);
    if (ec) co_return;
    total += size;
  }
}

/// Runs the handler on its own thread and comes back to the connection's strand.
net::awaitable<Response> Server::State::Handle(const Request& request) {
  if (queued.fetch_add(1) >= options.limits.queued_requests) {
    --queued;
    Count("overload");
    Response busy = Refusal(503, "The server is overloaded; try again");
    busy.headers.emplace_back("Retry-After", "1");
    co_return busy;
  }
  auto answer = std::make_shared<Response>();
  auto start = [this, answer, &request](auto done) {
    auto executor = net::get_associated_executor(done);
    net::post(handlers, [this, answer, &request, executor, done = std::move(done)]() mutable {
      try {
        *answer = handler(request);
      } catch (const std::exception& fault) {
        log::Error("handler_failed", {{"what", fault.what()}});
        *answer = Refusal(500, "An internal error occurred");
      }
      --queued;
      net::post(executor, [done = std::move(done)]() mutable { done(); });
    });
  };
  co_await net::async_initiate<const net::use_awaitable_t<>, void()>(std::move(start), net::use_awaitable);
  co_return std::move(*answer);
}

void Server::State::Stop(Millis grace) {
  if (stopping.exchange(true)) return;
  net::post(io, [this] {
    error_code ignored;
    acceptor.close(ignored);
  });
  {
    std::unique_lock lock(mutex);
    for (const auto& connection : connections) {
      if (connection->idle && connection->close) connection->close();
    }
    gone.wait_for(lock, grace, [this] { return connections.empty(); });
    for (const auto& connection : connections) {
      if (connection->close) connection->close();
    }
    // Handlers that still run keep their connection until they return; they are waited for below.
    gone.wait_for(lock, std::chrono::milliseconds(200), [this] { return connections.empty(); });
  }
  handlers.join();
  work.reset();
  io.stop();
  if (thread.joinable()) thread.join();
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  if (state_) state_->Stop(Millis(0));
}

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Handler handler) {
  auto state = std::make_unique<State>(std::move(options), std::move(handler));
  if (state->options.tls) {
    FW_ASSIGN(state->tls, MakeContext(*state->options.tls));
    state->options.tls->key_pem.clear();
  }
  FW_TRY(state->Listen());
  state->Run();
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

std::uint16_t Server::port() const { return state_->port; }

Status Server::ReloadCertificate(const TlsIdentity& identity) {
  if (!state_->options.tls) return Error(Code::kInvalidArgument, "this listener is plain");
  FW_ASSIGN(std::shared_ptr<ssl::context> fresh, MakeContext(identity));
  std::lock_guard lock(state_->mutex);
  state_->tls = std::move(fresh);
  return {};
}

void Server::Stop(Millis grace) { state_->Stop(grace); }

}  // namespace fleetward::http
