// The server's own connection to the broker, over its private listener: answers to devices and commands to the edge.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fleetward/base/counters.h"
#include "fleetward/ingest/answers.h"
#include "fleetward/mqtt/client.h"

namespace fleetward::ingest {

/// Of a connection of the server itself to the broker's private listener. `client_id` begins with `$`, unless a device's
/// session is to be taken over. Errors: of the secret's file.
Result<mqtt::ClientOptions> ControlClientOptions(const std::string& socket, const std::string& secret_file,
                                                 const std::string& client_id);

class ControlLink final : public AnswerSink, private mqtt::Handler {
 public:
  struct Options {
    std::string socket;
    std::string secret_file;
  };
  /// `on_connected` runs on the client's thread after each connect.
  ControlLink(Options options, std::function<void()> on_connected, CounterRegistry& counters);
  ~ControlLink() override;

  void Start();
  void Stop();

  void Send(std::string_view topic, std::string_view payload) override;
  void Flush() override;
  /// A message of the data plane. Errors: kUnavailable, kInvalidArgument (the properties).
  Status Publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                 const mqtt::Properties& properties);
  /// What the broker retains, by topic; topics that hold nothing are not in it. One call at a time. Errors: kUnavailable
  /// (no broker, or no answer within a second).
  Result<std::map<std::string, std::string>> FetchRetained(const std::vector<std::string>& topics);
  /// Ends a client's session at the broker by taking it over with a clean one. Errors: kUnavailable.
  Status EndSession(const std::string& client_id);
  /// Publishes an EdgeCommand. False when the broker is away.
  bool Command(std::string_view payload);
  bool connected() const { return connected_.load(std::memory_order_acquire); }

 private:
  void Run();
  Status Open();
  Status Subscribed(const std::string& topic);
  /// Many answers as one command.
  struct Answers {
    std::string publications;
    std::uint64_t count = 0;
  };
  /// Publishes what waits, or drops what is too much to hold. answers_mutex_ is held.
  void FlushAnswers();
  void OnConnect(int return_code) override;
  void OnDisconnect(const std::string& reason) override;
  void OnMessage(const mqtt::Message& message) override;
  void OnPublished(int) override {}
  void OnSubscribed(int, int) override {}

  const Options options_;
  std::function<void()> on_connected_;
  Counter& answers_sent_;
  Counter& answers_lost_;
  std::unique_ptr<mqtt::Client> client_;
  std::atomic<bool> connected_{false};
  std::mutex answers_mutex_;
  std::deque<Answers> answers_;  // wait for Flush and a connection, oldest first
  std::mutex fetch_mutex_;  // held by the one call that fetches
  std::mutex retained_mutex_;
  std::condition_variable retained_came_;
  std::map<std::string, std::optional<std::string>> wanted_;  // payloads of what is being fetched, by topic
  std::mutex mutex_;
  std::condition_variable wake_;
  bool down_ = true;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fleetward::ingest
