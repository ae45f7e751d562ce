// How much of the broker's loop goes to connections that are not clients yet. Left alone, it takes all that
// wait, for as long as there are any: handshakes, of milliseconds each, before the packets of whoever is
// connected.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace fleetward::plugin {

/// A stranger is a connection from its accept until a CONNECT of it was admitted. While there are strangers,
/// a turn of all clients that are ready alternates with a phase of strangers: turns of a few of them, who has
/// waited longest first, and one of the listeners, until the phase has had its CPU time. The rest stays ready
/// in the kernel: nobody is refused, and all time that clients leave is the strangers'. The listeners' turn has
/// as much CPU time as a phase for itself, since a fleet that comes back at once must not wait at a full backlog,
/// from where it is let in a second or more later. One thread; times are that thread's CPU time in nanoseconds.
class Intake {
 public:
  struct Limits {
    std::int64_t phase_ns = 5'000'000;  // a phase of strangers; a turn more of them may be on top
    std::size_t strangers = 2;          // a turn; each may hold half a handshake
    std::size_t most_strangers = 2048;  // with more of them, one is accepted in a phase
  };
  explicit Intake(Limits limits) : limits_(limits) {}

  /// False: this turn has accepted enough; one at least it does.
  bool MayAccept(std::int64_t now);
  void Accepted(int socket);
  /// The broker watches a socket under its key (`epoll_data.ptr`), again or anew.
  void Watched(int socket, const void* key);
  void WatchedListener(int socket, const void* key);
  void Unwatched(int socket);
  void Admitted(const void* key) { strangers_.erase(key); }

  /// A turn begins: asked for all that is ready, when there are strangers, or without.
  void BeginTurn();
  bool HasStrangers() const { return !strangers_.empty(); }
  /// Fills `chosen` (at most `room`) from all events that are ready; how many: some unless there are none.
  std::size_t Choose(const epoll_event* ready, std::size_t count, epoll_event* chosen, std::size_t room,
                     std::int64_t now);

 private:
  struct Socket {
    bool fresh = false;  // accepted, not watched yet
    const void* key = nullptr;
  };
  Socket& At(int socket);
  std::size_t ChooseStrangers(const epoll_event* ready, epoll_event* chosen, std::size_t room,
                              std::int64_t now);

  Limits limits_;
  std::vector<Socket> sockets_;  // by number
  std::unordered_map<const void*, std::uint64_t>
      strangers_;  // when each came or was served last, as a number
  std::unordered_set<const void*> listeners_;
  std::uint64_t next_number_ = 0;

  enum class Phase : std::uint8_t { kClients, kClientsDone, kStrangers };
  Phase phase_ = Phase::kClients;  // whose turn is next
  bool doors_served_ = false;      // listeners had their turn in this phase
  std::int64_t since_ = 0;         // when the phase began
  std::int64_t first_accept_ = 0;  // of this turn
  int accepts_ = 0;                // asked for in this turn

  struct Waiting {
    std::uint64_t number;
    std::size_t place;  // among what is ready
  };
  std::vector<Waiting> waiting_;
  std::vector<std::size_t> doors_, clients_;  // places of listeners and clients
};

}  // namespace fleetward::plugin
