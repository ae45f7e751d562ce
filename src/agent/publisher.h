// Delivers reports: connection, answers, spool. Single-threaded; the agent's loop calls it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent_options.h"
#include "backoff.h"
#include "fleetward/base/clock.h"
#include "fleetward/mqtt/client.h"
#include "fleetward/report/answer.h"
#include "fleetward/report/encode.h"
#include "spool.h"

namespace fleetward::agent {

/// What a publisher needs of a connection; mqtt::Client in the agent, a fake in tests.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual Status Connect() = 0;
  virtual void Disconnect() = 0;
  virtual bool connected() const = 0;
  virtual Result<int> Publish(const std::string& topic, std::string_view payload) = 0;
  virtual Result<int> Subscribe(const std::string& filter) = 0;
};

struct PublisherOptions {
  std::string thing;
  report::Format format = report::Format::kJson;
  report::Names names = report::Names::kLong;
  std::int64_t answer_timeout_ms = 30000;
  std::int64_t connect_timeout_ms = 30000;
  std::int64_t reconnect_max_ms = 300000;
  std::int64_t interval_ms = 300000;
};

class Publisher : public mqtt::Handler {
 public:
  /// Called with a report that the service refused, so that its deltas are not lost.
  using NotTaken = std::function<void(const report::MetricReport&)>;

  /// `spool` may be null. All references outlive the publisher.
  Publisher(PublisherOptions options, const Clock& clock, Connection& connection, Spool* spool, NotTaken not_taken);

  /// Sends a fresh report, or spools it when there is no connection.
  void Submit(const report::MetricReport& report);
  /// Does what is due: connects, gives up waiting, replays the spool. Returns milliseconds until it is due again.
  std::int64_t Step();
  /// True while a fresh report waits for its answer.
  bool Waiting() const { return !pending_.empty(); }
  /// For the agent's end: what waits goes to the spool.
  void SpoolPending();
  /// How much later than due the next report should go because the service throttles; 0 mostly.
  std::int64_t throttle_ms() const { return throttle_ms_; }
  /// A number no report of this or, judging by the spool, an earlier run has had: epoch seconds, growing.
  std::uint64_t NextReportId();

  void OnConnect(int return_code) override;
  void OnDisconnect(const std::string& reason) override;
  void OnMessage(const mqtt::Message& message) override;
  void OnPublished(int packet_id) override;
  void OnSubscribed(int packet_id, int granted_qos) override;

 private:
  struct Pending {
    report::MetricReport report;
    std::int64_t sampled_at_seconds;
    std::int64_t sent_ms;
    int packet_id;
  };
  struct Replay {
    std::uint64_t report_id;
    std::int64_t sent_ms;
    int packet_id;
  };
  void ScheduleConnect(std::int64_t now);
  void ToSpool(const report::MetricReport& report, std::int64_t sampled_at_seconds);
  void SendOldest(std::int64_t now);
  void Accepted(std::uint64_t report_id);
  void Rejected(const report::Answer& answer);
  std::string Topic(report::Format format, std::string_view suffix = {}) const;

  PublisherOptions options_;
  const Clock& clock_;
  Connection& connection_;
  Spool* spool_;
  NotTaken not_taken_;
  Backoff reconnect_;
  Backoff replay_wait_;
  std::uint64_t random_;
  bool connecting_ = false;
  std::int64_t connect_at_ms_ = 0;      // when not connecting nor connected
  std::int64_t connect_deadline_ms_ = 0;
  bool answers_expected_ = true;        // false: the broker refused the subscription, so PUBACK is the last word
  std::deque<Pending> pending_;
  std::optional<Replay> replay_;
  std::int64_t replay_at_ms_ = 0;
  std::int64_t throttle_ms_ = 0;
  std::uint64_t last_report_id_ = 0;
  std::string buffer_;
};

}  // namespace fleetward::agent
