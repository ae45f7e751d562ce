#include "fleetward/mqtt/client.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "fleetward/base/file.h"
#include "fleetward/base/thread.h"

namespace fleetward::mqtt {
namespace {

// libmosquitto wants one init per process, whoever comes first.
void InitLibrary() {
  static const int kDone = mosquitto_lib_init();
  (void)kDone;
}

struct Event {
  enum class Kind { kConnect, kDisconnect, kMessage, kPublished, kSubscribed } kind;
  int number = 0;  // return code or packet id
  int qos = 0;
  std::string text;
  Message message;
};

std::string ReasonText(int rc) {
  if (rc == MOSQ_ERR_ERRNO) return mosquitto_strerror(rc) + std::string(" (system error)");
  return mosquitto_strerror(rc);
}

Error MosquittoError(int rc, std::string_view doing) {
  Code code = rc == MOSQ_ERR_INVAL || rc == MOSQ_ERR_MALFORMED_UTF8 || rc == MOSQ_ERR_PAYLOAD_SIZE
                  ? Code::kInvalidArgument
                  : Code::kUnavailable;
  if (rc == MOSQ_ERR_ERRNO) return ErrnoError(errno, doing);
  return Error(code, std::string(doing) + ": " + mosquitto_strerror(rc));
}

struct FreeList {
  void operator()(mosquitto_property* list) const { mosquitto_property_free_all(&list); }
};
using PropertyList = std::unique_ptr<mosquitto_property, FreeList>;

Result<PropertyList> ListOf(const Properties& properties) {
  mosquitto_property* list = nullptr;
  int rc = MOSQ_ERR_SUCCESS;
  auto text = [&](int identifier, const std::optional<std::string>& value) {
    if (value && rc == MOSQ_ERR_SUCCESS) rc = mosquitto_property_add_string(&list, identifier, value->c_str());
  };
  if (properties.utf8) rc = mosquitto_property_add_byte(&list, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, *properties.utf8);
  if (properties.expiry_seconds && rc == MOSQ_ERR_SUCCESS) {
    rc = mosquitto_property_add_int32(&list, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, *properties.expiry_seconds);
  }
  text(MQTT_PROP_CONTENT_TYPE, properties.content_type);
  text(MQTT_PROP_RESPONSE_TOPIC, properties.response_topic);
  if (const auto& data = properties.correlation_data; data && rc == MOSQ_ERR_SUCCESS) {
    rc = mosquitto_property_add_binary(&list, MQTT_PROP_CORRELATION_DATA, data->data(),
                                       static_cast<std::uint16_t>(data->size()));
  }
  for (const auto& [name, value] : properties.user) {
    if (rc != MOSQ_ERR_SUCCESS) break;
    rc = mosquitto_property_add_string_pair(&list, MQTT_PROP_USER_PROPERTY, name.c_str(), value.c_str());
  }
  PropertyList owned(list);
  if (rc != MOSQ_ERR_SUCCESS) return MosquittoError(rc, "setting the message's MQTT 5 properties");
  return owned;
}

}  // namespace

// libmosquitto's calls and its SSL object are guarded by one mutex. Its callbacks, which run inside those calls, only
// note what happened; Deliver() hands the notes to the handler after the mutex is released.
class Client::Impl {
 public:
  Impl(ClientOptions options, Handler& handler) : options_(std::move(options)), handler_(handler) {}
  ~Impl() {
    StopThread();
    if (handle_ != nullptr) mosquitto_destroy(handle_);
  }

  Status Init();
  Status Connect();
  void Disconnect();
  Result<int> Publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                      const Properties& properties);
  Result<int> Subscribe(const std::string& filter, int qos);
  Status Unsubscribe(const std::string& filter);
  bool connected() const { return connected_.load(); }
  int socket() const {
    std::lock_guard lock(mutex_);
    return active_ ? mosquitto_socket(handle_) : -1;
  }
  bool WantsWrite() const {
    std::lock_guard lock(mutex_);
    return active_ && mosquitto_want_write(handle_);
  }
  void Process(short revents);
  void Tick();
  void Poll(int timeout_ms, int wake_fd);
  void StartThread();
  void StopThread();

 private:
  static Impl& Self(void* self) { return *static_cast<Impl*>(self); }
  static void OnConnect(mosquitto*, void* self, int rc);
  static void OnDisconnect(mosquitto*, void* self, int rc);
  static void OnMessage(mosquitto*, void* self, const mosquitto_message* message);
  static void OnPublish(mosquitto*, void* self, int mid);
  static void OnSubscribe(mosquitto*, void* self, int mid, int count, const int* granted);

  Status MakeHandle();
  Status FillHandle();
  Status SetTls();
  void NoteEnd(const std::string& reason);  // mutex held
  void Check(int rc);                       // mutex held: a failed loop call ends the connection
  std::string SocketFault() const;
  void Deliver();
  void Wake();

  ClientOptions options_;
  Handler& handler_;
  mosquitto* handle_ = nullptr;
  mutable std::mutex mutex_;
  bool active_ = false;  // between Connect() and the noted end
  bool ipv4_only_ = false;  // for the next attempt
  bool used_ = false;       // the handle had a connection
  std::atomic<bool> connected_{false};
  std::vector<Event> events_;
  Fd wake_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

Status Client::Impl::Init() {
  if (options_.client_id.empty()) return Error(Code::kInvalidArgument, "an MQTT client id is needed");
  if (options_.keep_alive_seconds < 5) return Error(Code::kInvalidArgument, "keep-alive must be at least 5 s");
  InitLibrary();
  wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return ErrnoError(errno, "eventfd");
  return MakeHandle();
}

/// A new one for each connection: libmosquitto would send what was in flight on the last one again, as of now, although
/// its owner has taken it back (Handler::OnDisconnect).
Status Client::Impl::MakeHandle() {
  mosquitto* before = std::exchange(handle_, nullptr);
  Status made = FillHandle();
  if (!made.ok() && before != nullptr) std::swap(handle_, before);
  if (before != nullptr) mosquitto_destroy(before);
  return made;
}

Status Client::Impl::FillHandle() {
  handle_ = mosquitto_new(options_.client_id.c_str(), options_.clean_session, this);
  if (handle_ == nullptr) return ErrnoError(errno, "making an MQTT client");
  mosquitto_connect_callback_set(handle_, OnConnect);
  mosquitto_disconnect_callback_set(handle_, OnDisconnect);
  mosquitto_message_callback_set(handle_, OnMessage);
  mosquitto_publish_callback_set(handle_, OnPublish);
  mosquitto_subscribe_callback_set(handle_, OnSubscribe);
  mosquitto_int_option(handle_, MOSQ_OPT_TCP_NODELAY, 1);
  if (options_.version5) mosquitto_int_option(handle_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(handle_, MOSQ_OPT_SEND_MAXIMUM, static_cast<int>(options_.max_inflight));
  if (!options_.username.empty()) {
    int rc = mosquitto_username_pw_set(handle_, options_.username.c_str(),
                                       options_.password.empty() ? nullptr : options_.password.c_str());
    if (rc != MOSQ_ERR_SUCCESS) return MosquittoError(rc, "setting the MQTT user name");
  }
  return SetTls();
}

Status Client::Impl::SetTls() {
  const TlsFiles& tls = options_.tls;
  if (tls.ca_file.empty()) return {};
  for (const std::string* path : {&tls.ca_file, &tls.certificate_file, &tls.key_file}) {
    if (!path->empty() && access(path->c_str(), R_OK) != 0) {
      return Error(Code::kInvalidArgument, ErrnoError(errno, "reading " + *path).message());
    }
  }
  const char* certificate = tls.certificate_file.empty() ? nullptr : tls.certificate_file.c_str();
  const char* key = tls.key_file.empty() ? nullptr : tls.key_file.c_str();
  int rc = mosquitto_tls_set(handle_, tls.ca_file.c_str(), nullptr, certificate, key, nullptr);
  if (rc != MOSQ_ERR_SUCCESS) return MosquittoError(rc, "setting up TLS");
  if (!tls.alpn.empty()) {
    rc = mosquitto_string_option(handle_, MOSQ_OPT_TLS_ALPN, tls.alpn.c_str());
    if (rc != MOSQ_ERR_SUCCESS) return MosquittoError(rc, "setting ALPN");
  }
  return {};
}

void Client::Impl::OnConnect(mosquitto*, void* self, int rc) {
  Impl& impl = Self(self);
  impl.connected_ = rc == 0;
  impl.events_.push_back({.kind = Event::Kind::kConnect, .number = rc, .text = {}, .message = {}});
}

void Client::Impl::OnDisconnect(mosquitto*, void* self, int rc) { Self(self).NoteEnd(ReasonText(rc)); }

void Client::Impl::OnMessage(mosquitto*, void* self, const mosquitto_message* message) {
  Event event{.kind = Event::Kind::kMessage, .text = {}, .message = {}};
  event.message.topic = message->topic;
  event.message.payload.assign(static_cast<const char*>(message->payload),
                               static_cast<std::size_t>(message->payloadlen));
  event.message.qos = message->qos;
  event.message.retain = message->retain;
  Self(self).events_.push_back(std::move(event));
}

void Client::Impl::OnPublish(mosquitto*, void* self, int mid) {
  Self(self).events_.push_back({.kind = Event::Kind::kPublished, .number = mid, .text = {}, .message = {}});
}

void Client::Impl::OnSubscribe(mosquitto*, void* self, int mid, int count, const int* granted) {
  int qos = count > 0 ? granted[0] : 128;
  Self(self).events_.push_back(
      {.kind = Event::Kind::kSubscribed, .number = mid, .qos = qos, .text = {}, .message = {}});
}

void Client::Impl::NoteEnd(const std::string& reason) {
  if (!std::exchange(active_, false)) return;
  if (!connected_.exchange(false)) ipv4_only_ = !ipv4_only_;
  events_.push_back({.kind = Event::Kind::kDisconnect, .text = reason, .message = {}});
}

void Client::Impl::Check(int rc) {
  if (rc != MOSQ_ERR_SUCCESS) NoteEnd(ReasonText(rc));
}

void Client::Impl::Deliver() {
  std::vector<Event> events;
  {
    std::lock_guard lock(mutex_);
    events.swap(events_);
  }
  for (Event& event : events) {
    switch (event.kind) {
      case Event::Kind::kConnect: handler_.OnConnect(event.number); break;
      case Event::Kind::kDisconnect: handler_.OnDisconnect(event.text); break;
      case Event::Kind::kMessage: handler_.OnMessage(event.message); break;
      case Event::Kind::kPublished: handler_.OnPublished(event.number); break;
      case Event::Kind::kSubscribed: handler_.OnSubscribed(event.number, event.qos); break;
    }
  }
}

void Client::Impl::Wake() {
  if (!thread_.joinable() || std::this_thread::get_id() == thread_.get_id()) return;
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(wake_.get(), &one, sizeof one);
}

Status Client::Impl::Connect() {
  std::lock_guard lock(mutex_);
  if (active_) return Error(Code::kInvalidState, "the client is connected already");
  if (std::exchange(used_, true)) FW_TRY(MakeHandle());
  bool local = !options_.unix_socket.empty();
  const std::string& host = local ? options_.unix_socket : options_.host;
  // Port 0 makes libmosquitto take the host for a socket's path.
  // A non-blocking connect tries the first address alone; when that was in vain (IPv6 without a route, mostly), the
  // next attempt is bound to IPv4, which makes libmosquitto pass over other addresses.
  const char* bind = ipv4_only_ ? "0.0.0.0" : nullptr;
  int rc = local ? mosquitto_connect(handle_, host.c_str(), 0, options_.keep_alive_seconds)
                 : mosquitto_connect_bind_async(handle_, host.c_str(), options_.port, options_.keep_alive_seconds, bind);
  if (rc != MOSQ_ERR_SUCCESS) {
    ipv4_only_ = !ipv4_only_;
    std::string where = local ? host : host + ":" + std::to_string(options_.port);
    return MosquittoError(rc, "connecting to " + where);
  }
  active_ = true;
  Wake();
  return {};
}

void Client::Impl::Disconnect() {
  {
    std::lock_guard lock(mutex_);
    if (!active_) return;
    mosquitto_disconnect(handle_);
    if (mosquitto_want_write(handle_)) mosquitto_loop_write(handle_, 1);
    NoteEnd("disconnected by us");
  }
  Wake();
}

Result<int> Client::Impl::Publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                                  const Properties& properties) {
  FW_ASSIGN(PropertyList list, ListOf(properties));
  int mid = 0;
  int rc;
  {
    std::lock_guard lock(mutex_);
    if (!active_) return Error(Code::kUnavailable, "publishing: not connected");
    rc = mosquitto_publish_v5(handle_, &mid, topic.c_str(), static_cast<int>(payload.size()), payload.data(), qos,
                              retain, list.get());
  }
  Wake();
  if (rc != MOSQ_ERR_SUCCESS) return MosquittoError(rc, "publishing to " + topic);
  return mid;
}

Result<int> Client::Impl::Subscribe(const std::string& filter, int qos) {
  int mid = 0;
  int rc;
  {
    std::lock_guard lock(mutex_);
    if (!active_) return Error(Code::kUnavailable, "subscribing: not connected");
    rc = mosquitto_subscribe(handle_, &mid, filter.c_str(), qos);
  }
  Wake();
  if (rc != MOSQ_ERR_SUCCESS) return MosquittoError(rc, "subscribing to " + filter);
  return mid;
}

Status Client::Impl::Unsubscribe(const std::string& filter) {
  int rc;
  {
    std::lock_guard lock(mutex_);
    if (!active_) return Error(Code::kUnavailable, "unsubscribing: not connected");
    rc = mosquitto_unsubscribe(handle_, nullptr, filter.c_str());
  }
  Wake();
  return rc == MOSQ_ERR_SUCCESS ? Status() : MosquittoError(rc, "unsubscribing from " + filter);
}

// Why poll(2) called the socket broken. Mutex held.
std::string Client::Impl::SocketFault() const {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(mosquitto_socket(handle_), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? "the connection was closed" : ErrnoError(error, "connecting").message();
}

void Client::Impl::Process(short revents) {
  {
    std::lock_guard lock(mutex_);
    bool broken = (revents & (POLLHUP | POLLERR)) != 0;
    std::string fault = active_ && broken ? SocketFault() : std::string();  // before a read takes the error away
    if (active_ && (broken || (revents & POLLIN) != 0)) Check(mosquitto_loop_read(handle_, 64));
    if (active_ && !broken && (revents & POLLOUT) != 0) Check(mosquitto_loop_write(handle_, 64));
    // During a TLS handshake libmosquitto takes a refused or cut connection for one that needs more time.
    if (active_ && broken) NoteEnd(fault);
  }
  Deliver();
}

void Client::Impl::Tick() {
  {
    std::lock_guard lock(mutex_);
    if (active_) Check(mosquitto_loop_misc(handle_));
  }
  Deliver();
}

void Client::Impl::Poll(int timeout_ms, int wake_fd) {
  pollfd fds[2];
  nfds_t count = 0;
  if (int fd = socket(); fd >= 0) {
    fds[count++] = {fd, static_cast<short>(WantsWrite() ? POLLIN | POLLOUT : POLLIN), 0};
  }
  nfds_t sockets = count;
  if (wake_fd >= 0) fds[count++] = {wake_fd, POLLIN, 0};
  int ready = poll(fds, count, timeout_ms);
  if (ready > 0 && sockets == 1 && fds[0].revents != 0) {
    Process(fds[0].revents);
  } else {
    Deliver();  // what Publish() noted meanwhile
  }
  Tick();
}

void Client::Impl::StartThread() {
  if (thread_.joinable()) return;
  stop_ = false;
  thread_ = std::thread([this] {
    NameThisThread("mqtt-client");
    while (!stop_.load()) {
      Poll(1000, wake_.get());
      std::uint64_t drained;
      [[maybe_unused]] ssize_t got = read(wake_.get(), &drained, sizeof drained);
    }
  });
}

void Client::Impl::StopThread() {
  if (!thread_.joinable()) return;
  stop_ = true;
  Wake();
  thread_.join();
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::Create(ClientOptions options, Handler& handler) {
  auto impl = std::make_unique<Impl>(std::move(options), handler);
  FW_TRY(impl->Init());
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Status Client::Connect() { return impl_->Connect(); }
void Client::Disconnect() { impl_->Disconnect(); }
Result<int> Client::Publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                            const Properties& properties) {
  return impl_->Publish(topic, payload, qos, retain, properties);
}
Result<int> Client::Subscribe(const std::string& filter, int qos) { return impl_->Subscribe(filter, qos); }
Status Client::Unsubscribe(const std::string& filter) { return impl_->Unsubscribe(filter); }
bool Client::connected() const { return impl_->connected(); }
int Client::socket() const { return impl_->socket(); }
bool Client::WantsWrite() const { return impl_->WantsWrite(); }
void Client::Process(short revents) { impl_->Process(revents); }
void Client::Tick() { impl_->Tick(); }
void Client::Poll(int timeout_ms, int wake_fd) { impl_->Poll(timeout_ms, wake_fd); }
void Client::StartThread() { impl_->StartThread(); }
void Client::StopThread() { impl_->StopThread(); }

}  // namespace fleetward::mqtt
