#include "intake.h"

#include <algorithm>

namespace fleetward::plugin {
namespace {

std::size_t Take(const std::vector<std::size_t>& places, const epoll_event* ready, epoll_event* chosen,
                 std::size_t room) {
  std::size_t taken = std::min(places.size(), room);
  for (std::size_t i = 0; i < taken; ++i) chosen[i] = ready[places[i]];
  return taken;
}

}  // namespace

Intake::Socket& Intake::At(int socket) {
  auto place = static_cast<std::size_t>(socket);
  if (place >= sockets_.size()) sockets_.resize(std::max(place + 1, sockets_.size() * 2));
  return sockets_[place];
}

void Intake::BeginTurn() {
  accepts_ = 0;
  if (strangers_.empty()) phase_ = Phase::kClients;
}

bool Intake::MayAccept(std::int64_t now) {
  if (++accepts_ == 1) {
    first_accept_ = now;
    return true;
  }
  return now - first_accept_ < limits_.phase_ns && strangers_.size() < limits_.most_strangers;
}

void Intake::Accepted(int socket) {
  if (socket < 0) return;
  Unwatched(socket);
  At(socket).fresh = true;
}

void Intake::Watched(int socket, const void* key) {
  if (socket < 0) return;
  Socket& known = At(socket);
  if (!known.fresh && known.key == key) return;
  strangers_.erase(known.key);
  strangers_.erase(key);  // a pointer that was given to another before
  if (known.fresh) strangers_[key] = next_number_++;
  known = {false, key};
}

void Intake::WatchedListener(int socket, const void* key) {
  Watched(socket, key);
  listeners_.insert(key);
}

void Intake::Unwatched(int socket) {
  if (socket < 0) return;
  Socket& known = At(socket);
  strangers_.erase(known.key);
  listeners_.erase(known.key);
  known = {};
}

std::size_t Intake::Choose(const epoll_event* ready, std::size_t count, epoll_event* chosen, std::size_t room,
                           std::int64_t now) {
  waiting_.clear();
  doors_.clear();
  clients_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    auto stranger = strangers_.find(ready[i].data.ptr);
    if (stranger != strangers_.end()) {
      waiting_.push_back({stranger->second, i});
    } else {
      (listeners_.contains(ready[i].data.ptr) ? doors_ : clients_).push_back(i);
    }
  }
  if (phase_ == Phase::kStrangers) {
    if (std::size_t taken = ChooseStrangers(ready, chosen, room, now)) return taken;
    phase_ = Phase::kClients;
  }
  bool others = !waiting_.empty() || !doors_.empty();
  if (!clients_.empty() && (phase_ == Phase::kClients || !others)) {
    phase_ = Phase::kClientsDone;
    return Take(clients_, ready, chosen, room);
  }
  if (!others) return 0;
  phase_ = Phase::kStrangers;
  since_ = now;
  doors_served_ = false;
  return ChooseStrangers(ready, chosen, room, now);
}

std::size_t Intake::ChooseStrangers(const epoll_event* ready, epoll_event* chosen, std::size_t room,
                                    std::int64_t now) {
  bool over = now - since_ >= limits_.phase_ns;
  if (!over && !waiting_.empty()) {
    std::size_t taken = std::min({limits_.strangers, waiting_.size(), room});
    // Who has waited longest: the kernel lists the same ones first for as long as they are ready, whatever
    // they got.
    std::partial_sort(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken), waiting_.end(),
                      [](const Waiting& a, const Waiting& b) { return a.number < b.number; });
    for (std::size_t i = 0; i < taken; ++i) {
      chosen[i] = ready[waiting_[i].place];
      strangers_[chosen[i].data.ptr] = next_number_++;
    }
    return taken;
  }
  // Listeners last: what was accepted is finished before there is more of it.
  if (doors_.empty() || doors_served_) return 0;
  doors_served_ = true;
  return Take(doors_, ready, chosen, room);
}

}  // namespace fleetward::plugin
