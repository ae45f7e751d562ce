#include "intake.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace fleetward::plugin {
namespace {

constexpr std::int64_t kMs = 1'000'000;

class IntakeTest : public testing::Test {
 protected:
  static constexpr int kListener = 4999;

  IntakeTest() { intake_.WatchedListener(kListener, Key(kListener)); }

  /// The key of a socket, as the broker's pointer would be.
  void* Key(int socket) { return &contexts_[static_cast<std::size_t>(socket)]; }

  void Connects(int socket) {
    intake_.Accepted(socket);
    intake_.Watched(socket, Key(socket));
  }

  void Becomes(int socket) {  // a client
    Connects(socket);
    intake_.Admitted(Key(socket));
  }

  /// The sockets of a turn when all of `first` to `last` and perhaps the listener are ready. Each stranger's
  /// event costs `cost`.
  std::vector<int> Turn(int first, int last, bool knocks = false, std::int64_t cost = kMs,
                        std::size_t room = 1000) {
    std::vector<epoll_event> ready, chosen(room);
    auto add = [&](int socket) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = Key(socket);
      ready.push_back(event);
    };
    for (int socket = first; socket <= last; ++socket) add(socket);
    if (knocks) add(kListener);
    intake_.BeginTurn();
    std::size_t count = intake_.Choose(ready.data(), ready.size(), chosen.data(), room, now_);
    EXPECT_LE(count, room);
    EXPECT_TRUE(count > 0 || ready.empty());
    std::vector<int> out;
    for (std::size_t i = 0; i < count; ++i) {
      out.push_back(static_cast<int>(static_cast<char*>(chosen[i].data.ptr) - contexts_.data()));
      now_ += cost;
    }
    return out;
  }

  Intake intake_{Intake::Limits{.phase_ns = 10 * kMs, .strangers = 4, .most_strangers = 8}};
  std::array<char, 5000> contexts_{};
  std::int64_t now_ = 7;
};

TEST_F(IntakeTest, TurnsOfAllClientsAlternateWithPhasesOfStrangers) {
  for (int socket = 0; socket < 5; ++socket) Becomes(socket);
  for (int socket = 5; socket < 30; ++socket) Connects(socket);
  std::vector<int> clients{0, 1, 2, 3, 4};
  EXPECT_EQ(Turn(0, 29, true), clients);
  for (int first : {5, 9, 13}) {
    EXPECT_EQ(Turn(0, 29, true), (std::vector<int>{first, first + 1, first + 2, first + 3}));
  }
  EXPECT_EQ(Turn(0, 29, true),
            (std::vector<int>{kListener}));  // the phase had its 10 ms, but this is always in it
  EXPECT_EQ(Turn(0, 29, true), clients);
  for (int first : {17, 21, 25}) {
    EXPECT_EQ(Turn(0, 29), (std::vector<int>{first, first + 1, first + 2, first + 3}));
  }
  EXPECT_EQ(Turn(0, 29), clients);
  // Where each handshake is costly, a turn of them is a phase.
  EXPECT_EQ(Turn(0, 29, true, 3 * kMs).size(), 4u);
  EXPECT_EQ(Turn(0, 29, true), (std::vector<int>{kListener}));
  EXPECT_EQ(Turn(0, 29, true), clients);
}

TEST_F(IntakeTest, NobodyWaitsForNothing) {
  Becomes(0);
  Connects(1);
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(Turn(0, 0), (std::vector<int>{0}));                // clients alone
    EXPECT_EQ(Turn(1, 1), (std::vector<int>{1}));                // strangers alone
    EXPECT_EQ(Turn(1, 0, true), (std::vector<int>{kListener}));  // the listener alone
    EXPECT_EQ(Turn(1, 0, true), (std::vector<int>{kListener}));
    EXPECT_TRUE(Turn(1, 0).empty());
  }
  for (int turn = 0; turn < 30; ++turn) {
    EXPECT_EQ(Turn(1, 1), (std::vector<int>{1}));
    EXPECT_EQ(Turn(1, 1, true).size(), 1u);
  }
  EXPECT_EQ(Turn(0, 0), (std::vector<int>{0}));
}

TEST_F(IntakeTest, SocketsThatWereNotAcceptedAreNoStrangers) {  // the server's link
  for (int socket = 0; socket < 10; ++socket) intake_.Watched(socket, Key(socket));
  EXPECT_FALSE(intake_.HasStrangers());
  EXPECT_EQ(Turn(0, 9).size(), 10u);
}

TEST_F(IntakeTest, WhoWaitedLongestIsNextHoweverLongOthersAreReady) {
  for (int socket = 0; socket < 30; ++socket) Connects(socket);
  std::multiset<int> seen;
  for (int turn = 0; turn < 15; ++turn) {
    auto served = Turn(0, 29);
    EXPECT_EQ(served.size(), 4u);
    seen.insert(served.begin(), served.end());
  }
  for (int socket = 0; socket < 30; ++socket) EXPECT_EQ(seen.count(socket), 2u) << socket;
}

TEST_F(IntakeTest, TheBrokersRoomIsKept) {
  for (int socket = 0; socket < 30; ++socket) Becomes(socket);
  Connects(30);
  EXPECT_EQ(Turn(0, 30, true, 0, 10).size(), 10u);
  EXPECT_EQ(Turn(0, 30, true, 0, 10), (std::vector<int>{30}));
  for (int socket = 31; socket < 40; ++socket) Connects(socket);
  EXPECT_EQ(Turn(30, 39, false, 0, 3).size(), 3u);
}

TEST_F(IntakeTest, ATurnAcceptsForAsLongAsAPhaseWhateverStrangersTook) {
  Becomes(0);
  Connects(1);
  EXPECT_EQ(Turn(0, 1, true), (std::vector<int>{0}));
  EXPECT_EQ(Turn(1, 1, true, 30 * kMs), (std::vector<int>{1}));
  EXPECT_EQ(Turn(0, 1, true), (std::vector<int>{kListener}));
  EXPECT_TRUE(intake_.MayAccept(now_));
  EXPECT_TRUE(intake_.MayAccept(now_ + 9 * kMs));
  EXPECT_FALSE(intake_.MayAccept(now_ + 10 * kMs));
  EXPECT_EQ(Turn(0, 1, true), (std::vector<int>{0}));
  EXPECT_EQ(Turn(0, 1, true, 30 * kMs), (std::vector<int>{1}));
  EXPECT_EQ(Turn(0, 1, true), (std::vector<int>{kListener}));
  now_ += 1000 * kMs;
  EXPECT_TRUE(intake_.MayAccept(now_));  // the time runs from the turn's first
  EXPECT_TRUE(intake_.MayAccept(now_ + 9 * kMs));
}

TEST_F(IntakeTest, OneAtLeastIsAcceptedHoweverManyStrangersThereAre) {
  for (int socket = 0; socket < 5; ++socket) Connects(socket);
  for (int turn = 0; turn < 3; ++turn) {
    intake_.BeginTurn();
    EXPECT_TRUE(intake_.MayAccept(now_));
    intake_.Accepted(100 + turn);
    intake_.Watched(100 + turn, Key(100 + turn));
    EXPECT_EQ(intake_.MayAccept(now_), turn < 2) << turn;  // 8 are the most
  }
  intake_.Unwatched(0);
  intake_.BeginTurn();
  EXPECT_TRUE(intake_.MayAccept(now_));
  EXPECT_TRUE(intake_.MayAccept(now_));
}

TEST_F(IntakeTest, NumbersAndPointersAreUsedAgain) {
  Connects(1);
  intake_.Watched(1, Key(1));  // the broker adds what is there, and changes it then
  EXPECT_TRUE(intake_.HasStrangers());
  intake_.Unwatched(1);
  EXPECT_FALSE(intake_.HasStrangers());
  // A client's pointer given to a newcomer, and a newcomer's to what is none.
  Becomes(2);
  intake_.Watched(2, Key(2));
  EXPECT_FALSE(intake_.HasStrangers());
  intake_.Unwatched(2);
  intake_.Accepted(3);
  intake_.Watched(3, Key(2));
  EXPECT_TRUE(intake_.HasStrangers());
  intake_.Watched(4, Key(2));
  EXPECT_FALSE(intake_.HasStrangers());
  // A number that was closed without a word; one that nobody accepted.
  Connects(5);
  intake_.Accepted(5);
  EXPECT_FALSE(intake_.HasStrangers());
  intake_.Watched(5, Key(6));
  EXPECT_TRUE(intake_.HasStrangers());
  intake_.Unwatched(5);
  intake_.Accepted(-1);
  intake_.Unwatched(-1);
  EXPECT_FALSE(intake_.HasStrangers());
}

}  // namespace
}  // namespace fleetward::plugin
