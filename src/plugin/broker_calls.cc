#include "broker_calls.h"

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "intake.h"

namespace {

using fleetward::plugin::Intake;

// More than the broker asks for (1,000): with more strangers than that ready, clients would be seen every few
// turns only.
constexpr int kMostReady = 8192;

Intake& TheIntake() {
  static Intake intake{Intake::Limits{}};
  return intake;
}

template <class Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool IsInternet(int socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         (domain == AF_INET || domain == AF_INET6);
}

bool IsListener(int socket) {
  int listens = 0;
  socklen_t size = sizeof listens;
  return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0 &&
         IsInternet(socket);
}

std::int64_t CpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

}  // namespace

namespace fleetward::plugin {

void NoteAdmitted(const void* client) { TheIntake().Admitted(client); }

bool BrokerCallsAreTaken() {
  return dlsym(RTLD_DEFAULT, "epoll_wait") == reinterpret_cast<void*>(&epoll_wait);
}

}  // namespace fleetward::plugin

extern "C" {

__attribute__((visibility("default"))) int accept(int listener, sockaddr* address, socklen_t* size) {
  static const auto next = Next<decltype(&accept)>("accept");
  if (!IsInternet(listener)) return next(listener, address, size);  // the server's own link never waits
  if (!TheIntake().MayAccept(CpuNs())) {
    errno = EAGAIN;  // the broker's sign that nobody waits; the listener is still ready in its next turn
    return -1;
  }
  int made = next(listener, address, size);
  TheIntake().Accepted(made);
  return made;
}

__attribute__((visibility("default"))) int epoll_ctl(int epoll, int operation, int socket,
                                                     epoll_event* event) noexcept {
  static const auto next = Next<int (*)(int, int, int, epoll_event*)>("epoll_ctl");
  if (operation == EPOLL_CTL_DEL) {
    TheIntake().Unwatched(socket);
  } else if (event != nullptr && operation == EPOLL_CTL_ADD && IsListener(socket)) {
    TheIntake().WatchedListener(socket, event->data.ptr);
  } else if (event != nullptr) {
    TheIntake().Watched(socket, event->data.ptr);
  }
  return next(epoll, operation, socket, event);
}

__attribute__((visibility("default"))) int epoll_wait(int epoll, epoll_event* events, int room, int timeout) {
  static const auto next = Next<decltype(&epoll_wait)>("epoll_wait");
  static std::array<epoll_event, kMostReady> ready;
  Intake& intake = TheIntake();
  intake.BeginTurn();
  if (!intake.HasStrangers() || room <= 0) return next(epoll, events, room, timeout);
  int count = next(epoll, ready.data(), kMostReady, timeout);
  if (count <= 0) return count;
  return static_cast<int>(intake.Choose(ready.data(), static_cast<std::size_t>(count), events,
                                        static_cast<std::size_t>(room), CpuNs()));
}

}  // extern "C"
