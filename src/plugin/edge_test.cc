// The core against a broker made of plain calls: order of events as Mosquitto 2.0.11 sends them (docs/broker.md).
#include "edge.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "fleetward/base/file.h"
#include "fleetward/bus/frame_listener.h"
#include "fleetward/policy/document.h"
#include "fleetward/policy/snapshot_builder.h"
#include "fleetward/policy/snapshot_journal.h"

namespace fleetward::plugin {
namespace {

constexpr const char* kSecret = "0123456789abcdef";
constexpr const char* kEverything =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";
constexpr const char* kNarrow =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Connect","iot:Publish","iot:Subscribe",
    "iot:Receive"],"Resource":["arn:aws:iot:us-east-1:123456789012:client/*",
    "arn:aws:iot:us-east-1:123456789012:topic/ok/*","arn:aws:iot:us-east-1:123456789012:topicfilter/ok/*"]}]})";

policy::Fingerprint Print(std::uint8_t n) {
  policy::Fingerprint print{};
  print.fill(n);
  return print;
}

class TestClock : public Clock {
 public:
  Timestamp Now() const override { return FromMillis(wall); }
  std::int64_t MonotonicMillis() const override { return monotonic; }
  std::int64_t wall = 1'800'000'000'000;  // a multiple of 300 s
  std::int64_t monotonic = 7'000'000;
};

struct Total {
  Counts counts;
  std::uint64_t records = 0;
  bool connected = false;
};

class EdgeTest : public testing::Test, public Broker {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fw-edge-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    options_.snapshot_file = dir_ + "/policy.snapshot";
    options_.ingest_socket = dir_ + "/ingest.sock";
    options_.control_socket = dir_ + "/ctl.sock";
    bus::FrameListener::Options listen;
    listen.path = options_.ingest_socket;
    listener_ = std::move(bus::FrameListener::Open(listen)).value();
    WriteSnapshot(1, policy::CertificateStatus::kActive);
  }
  void TearDown() override {
    edge_.reset();
    listener_.reset();
    std::filesystem::remove_all(dir_);
  }

  policy::CertificateEntry Certificate(std::uint8_t n, policy::CertificateStatus status) {
    policy::CertificateEntry entry;
    entry.fingerprint = Print(n);
    entry.status = status;
    entry.not_after = FromMillis(clock_.wall + 3600'000);
    entry.policy_set = n == 2 ? 1u : 0u;  // certificate 2 is the narrow one
    return entry;
  }
  void WriteSnapshot(std::uint64_t version, policy::CertificateStatus status) {
    policy::SnapshotInfo info;
    info.version = version;
    info.region = "us-east-1";
    info.account_id = "123456789012";
    policy::SnapshotBuilder builder(info);
    std::uint32_t number = 0;
    for (const char* document : {kEverything, kNarrow}) {
      policy::PolicyEntry entry;
      entry.number = number;
      entry.name = "p" + std::to_string(number);
      entry.body = policy::CompilePolicy(entry.name, document).value().body;
      builder.AddPolicy(entry);
      policy::PolicySetEntry set;
      set.number = number;
      set.policies = {number};
      builder.AddPolicySet(set);
      ++number;
    }
    for (std::uint8_t n = 1; n <= 3; ++n) builder.AddCertificate(Certificate(n, status));
    ASSERT_TRUE(WriteFileAtomic(options_.snapshot_file, builder.Build(1).value()).ok());
  }

  Edge& edge() {
    if (!edge_) {
      edge_ = std::make_unique<Edge>(options_, kSecret, Id128{9, 9}, clock_, *this);
      EXPECT_TRUE(edge_->Start().ok());
    }
    return *edge_;
  }

  // Broker
  std::string CertificateOf(const void*) override { return "a certificate"; }
  void Publish(const std::string& topic, std::string_view payload) override {
    auto& list = topic.starts_with("$aws/events/") ? events_ : published_;
    list.push_back(topic + "=" + std::string(payload));
  }
  void Kick(const std::string& client_id, bool) override {
    kicked_.push_back(client_id);
    for (const auto& [key, id] : ids_) {
      if (id == client_id) return edge().OnDisconnect(key, client_id.c_str(), "192.0.2.1", true);
    }
  }
  bool TakesMore(const void*) override { return takes_more_; }
  void Log(std::string_view) override {}

  static const void* Key(int n) { return reinterpret_cast<const void*>(static_cast<std::uintptr_t>(n)); }
  Verdict Connect(int key, std::string_view id, std::uint8_t print = 1, bool clean = true, int protocol = 4) {
    ConnectRequest request;
    request.client = Key(key);
    request.client_id = id;
    request.address = "192.0.2.1";
    request.certificate = Print(print);
    request.protocol = protocol;
    request.clean_session = clean;
    ids_[Key(key)] = std::string(id);
    return edge().OnConnect(request);
  }
  Verdict ConnectServer(int key, std::string_view id = "$server", std::string_view secret = kSecret, bool clean = true) {
    ConnectRequest request;
    request.client = Key(key);
    request.client_id = id;
    request.address = options_.control_socket;
    request.password = secret;
    request.clean_session = clean;
    return edge().OnConnect(request);
  }
  void Disconnect(int key) {
    auto it = ids_.find(Key(key));
    edge().OnDisconnect(Key(key), it == ids_.end() ? nullptr : it->second.c_str(), "192.0.2.1", false);
  }
  Verdict Publish(int key, std::string_view topic, std::string_view payload = "x", int qos = 1, bool retain = false) {
    return edge().OnPublish(Key(key), topic, payload, qos, retain);
  }

  /// Lets `ms` pass with a tick, and takes all frames in.
  void Pass(std::int64_t ms) {
    clock_.wall += ms;
    clock_.monotonic += ms;
    Tick();
  }
  void Tick() {
    for (int i = 0; i < 3; ++i) {
      edge().OnTick();
      auto batches = listener_->Poll(Millis(1));
      ASSERT_TRUE(batches.ok());
      for (const auto& batch : *batches) {
        if (batch.hello) listener_->Welcome(batch.connection, 0);
        for (const auto& frame : batch.frames) Take(frame);
      }
    }
  }
  void Take(const report::RawFrame& raw) {
    using report::FrameType;
    if (raw.type == FrameType::kCounters) {
      auto frame = report::DecodeCounters(raw.body).value();
      bucket_flags_ |= frame.flags;
      while (auto record = report::NextCounter(frame).value()) {
        std::string name(record->client_id);
        if (record->dimension != 0) name += "#" + std::to_string(record->dimension);
        Total& total = totals_[name];
        ++total.records;
        total.connected = (record->flags & report::CounterRecord::kConnected) != 0;
        total.counts.messages_sent += record->messages_sent;
        total.counts.bytes_sent += record->bytes_sent;
        total.counts.max_payload = std::max(total.counts.max_payload, record->max_payload);
        total.counts.messages_received += record->messages_received;
        total.counts.authorization_failures += record->authorization_failures;
        total.counts.connection_attempts += record->connection_attempts;
        total.counts.disconnects += record->disconnects;
        total.counts.messages_discarded += record->messages_discarded;
        buckets_[name][frame.bucket_start_ms] += record->messages_sent;
        // When they were counted, not when the clock was sent before (D1).
        EXPECT_GE(frame.event_time_ms, frame.bucket_start_ms);
        EXPECT_LT(frame.event_time_ms, frame.bucket_start_ms + frame.bucket_length_ms);
      }
    } else if (raw.type == FrameType::kReport) {
      auto frame = report::DecodeReport(raw.body).value();
      reports_.push_back(std::string(frame.thing) + "=" + std::string(frame.payload));
      report_flags_ = frame.flags;
    } else if (raw.type == FrameType::kApplied) {
      auto frame = report::DecodeApplied(raw.body).value();
      applied_.push_back(frame.ok ? static_cast<std::int64_t>(frame.policy_version) : -1);
    } else if (raw.type == FrameType::kConnected) {
      connected_.push_back(report::DecodeConnected(raw.body).value().version_number);
    } else if (raw.type == FrameType::kDisconnected) {
      disconnected_.push_back(std::string(report::DisconnectReasonName(
          report::DecodeDisconnected(raw.body).value().reason)));
    } else if (raw.type == FrameType::kRefused) {
      auto frame = report::DecodeRefused(raw.body).value();
      refused_[std::string(report::RefusalReasonName(frame.reason))] += frame.count;
    } else if (raw.type == FrameType::kUnregistered) {
      ++offered_;
    } else if (raw.type == FrameType::kRetained) {
      auto frame = report::DecodeRetained(raw.body).value();
      while (auto entry = report::NextRetained(frame).value()) {
        retained_.push_back(std::string(entry->topic) + " " + std::to_string(entry->payload_bytes) + " " +
                            std::to_string(entry->qos) + (entry->may_expire ? " may expire" : ""));
      }
    } else if (raw.type == FrameType::kDone) {
      auto frame = report::DecodeDone(raw.body).value();
      done_[frame.request] = frame.found;
    } else if (raw.type == FrameType::kClock) {
      steps_ += report::DecodeClock(raw.body).value().step_ms;
      ++clocks_;
    }
  }
  void Command(const report::EdgeCommand& command) {
    edge().OnControl(Key(99), report::EncodeEdgeCommand(command));
  }
  std::string Delta(std::uint64_t from, std::vector<policy::SnapshotChange> changes) {
    policy::SnapshotDelta delta;
    delta.from_version = from;
    delta.to_version = from + 1;
    delta.changes = std::move(changes);
    return policy::EncodeDelta(delta);
  }

  std::vector<std::string> published_, events_;
  int offered_ = 0;
  std::vector<std::string> retained_;
  std::map<std::uint64_t, bool> done_;
  std::string dir_;
  Options options_;
  TestClock clock_;
  std::unique_ptr<bus::FrameListener> listener_;
  std::unique_ptr<Edge> edge_;
  std::map<const void*, std::string> ids_;
  bool takes_more_ = true;
  std::vector<std::string> kicked_, reports_, disconnected_;
  std::vector<std::int64_t> applied_;
  std::vector<std::uint64_t> connected_;
  std::map<std::string, Total> totals_;
  std::map<std::string, std::map<std::int64_t, std::uint64_t>> buckets_;
  std::map<std::string, std::uint64_t> refused_;
  std::uint8_t report_flags_ = 0, bucket_flags_ = 0;
  std::int64_t steps_ = 0;
  int clocks_ = 0;
};

TEST_F(EdgeTest, KnownCertificatesConnectOthersAreRefusedWithAReason) {
  EXPECT_EQ(Connect(1, "a"), Verdict::kAllow);
  EXPECT_EQ(Connect(2, "b", 77), Verdict::kClose);
  edge().OnDisconnect(Key(2), nullptr, "192.0.2.1", true);
  Pass(1000);
  EXPECT_EQ(refused_["UNKNOWN_CERTIFICATE"], 1u);
  EXPECT_EQ(refused_.size(), 1u) << "the DISCONNECT of a refused connection says nothing new";
  EXPECT_EQ(totals_["b"].counts.connection_attempts, 1u);
  EXPECT_EQ(totals_["b"].counts.authorization_failures, 1u);
  EXPECT_EQ(totals_["b"].counts.disconnects, 0u);
}

TEST_F(EdgeTest, ColdStartRefusesUntilTheSnapshotIsThere) {
  ::unlink(options_.snapshot_file.c_str());
  EXPECT_EQ(Connect(1, "a"), Verdict::kClose);
  WriteSnapshot(1, policy::CertificateStatus::kActive);
  Pass(1000);
  EXPECT_EQ(refused_["NO_SNAPSHOT"], 1u);
  EXPECT_EQ(Connect(1, "a"), Verdict::kAllow);
}

TEST_F(EdgeTest, ColdStartTakesTheDeltasBesideTheSnapshot) {
  std::string first, second;
  policy::AppendJournalRecord(Delta(1, {Certificate(1, policy::CertificateStatus::kRevoked)}), first);
  policy::AppendJournalRecord(Delta(2, {Certificate(2, policy::CertificateStatus::kRevoked)}), second);
  ASSERT_TRUE(WriteFileAtomic(policy::JournalPath(options_.snapshot_file, 1), first).ok());
  ASSERT_TRUE(WriteFileAtomic(policy::JournalPath(options_.snapshot_file, 0), second).ok());
  EXPECT_EQ(Connect(1, "a", 1), Verdict::kClose);
  EXPECT_EQ(Connect(2, "b", 2), Verdict::kClose);
  EXPECT_EQ(Connect(3, "c", 3), Verdict::kAllow);
}

TEST_F(EdgeTest, Trap1TakeoverCountsOneDisconnectAndNotTheWill) {
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  ASSERT_EQ(Connect(2, "a"), Verdict::kAllow);
  EXPECT_EQ(Publish(1, "will"), Verdict::kAllow);  // the old connection's will, before its DISCONNECT
  Disconnect(1);
  EXPECT_EQ(Publish(2, "t"), Verdict::kAllow);
  Pass(1000);
  EXPECT_EQ(totals_["a"].counts.disconnects, 1u);
  EXPECT_EQ(totals_["a"].counts.messages_sent, 1u);
  EXPECT_EQ(totals_["a"].counts.connection_attempts, 2u);
  EXPECT_EQ(disconnected_, std::vector<std::string>{"DUPLICATE_CLIENTID"});
  EXPECT_EQ(connected_, (std::vector<std::uint64_t>{0, 1}));
}

TEST_F(EdgeTest, Trap1ResumedSessionsDisconnectOnce) {
  ASSERT_EQ(Connect(1, "a", 1, false), Verdict::kAllow);
  Disconnect(1);
  Pass(1000);
  ASSERT_EQ(Connect(2, "a", 1, false), Verdict::kAllow);
  Disconnect(1);  // the broker lets the offline session go
  Pass(1000);
  EXPECT_EQ(totals_["a"].counts.disconnects, 1u);
  EXPECT_EQ(Publish(2, "t"), Verdict::kAllow);
}

TEST_F(EdgeTest, Trap1AFreedPointersNextOwnerIsAnotherClient) {
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  Disconnect(1);
  ASSERT_EQ(Connect(1, "b", 2), Verdict::kAllow);
  EXPECT_EQ(Publish(1, "denied"), Verdict::kClose);
  Pass(1000);
  EXPECT_EQ(totals_["b"].counts.authorization_failures, 1u);
  EXPECT_EQ(totals_["a"].counts.authorization_failures, 0u);
}

TEST_F(EdgeTest, Trap2OverlappingSubscriptionsAreOneDelivery) {
  ASSERT_EQ(Connect(1, "pub"), Verdict::kAllow);
  ASSERT_EQ(Connect(2, "sub"), Verdict::kAllow);
  const char* stored = "topic of the stored message";
  for (int message = 0; message < 5; ++message) {
    Publish(1, "t");
    for (int filter = 0; filter < 3; ++filter) edge().OnReceive(Key(2), "t", stored);
  }
  Pass(1000);
  EXPECT_EQ(totals_["sub"].counts.messages_received, 5u);
}

TEST_F(EdgeTest, PublishesWhatTheServerHandsOver) {
  report::EdgeCommand command;
  command.kind = report::EdgeCommandKind::kPublish;
  std::string messages;
  for (std::string_view topic : {"a", "bad/#", "b"}) report::AppendPublication({topic, "x"}, messages);
  messages += '\x7f';  // truncated
  command.messages = messages;
  ASSERT_EQ(Connect(1, "device"), Verdict::kAllow);
  edge().OnControl(Key(1), report::EncodeEdgeCommand(command));
  EXPECT_TRUE(published_.empty()) << "only the server may";
  ASSERT_EQ(ConnectServer(99), Verdict::kAllow);
  Command(command);
  EXPECT_EQ(published_, (std::vector<std::string>{"a=x", "b=x"}));
}

TEST_F(EdgeTest, LifecycleEventsTellWhatHappened) {
  auto took = [this](std::string_view start, std::string_view inside) {
    if (events_.empty()) return false;
    std::string event = events_.front();
    events_.erase(events_.begin());
    return event.starts_with(start) && event.find(inside) != std::string::npos;
  };
  ASSERT_EQ(Connect(1, "device", 1, true, 5), Verdict::kAllow);
  EXPECT_TRUE(took("$aws/events/presence/connected/device={\"clientId\":\"device\",\"timestamp\":1800000000000",
                   "\"versionNumber\":0"));
  edge().OnSubscribe(Key(1), "a", 0);
  edge().OnSubscribe(Key(1), "b/#", 1);
  edge().OnSubscribe(Key(1), "$aws/events/#", 2);  // refused
  edge().OnUnsubscribe(Key(1), "a");
  EXPECT_TRUE(events_.empty());
  Tick();
  EXPECT_TRUE(took("$aws/events/subscriptions/subscribed/device=", "\"topics\":[\"a\",\"b/#\"]"));
  EXPECT_TRUE(took("$aws/events/subscriptions/unsubscribed/device=", "\"topics\":[\"a\"]"));
  Disconnect(1);
  Pass(1000);
  EXPECT_TRUE(took("$aws/events/presence/disconnected/device=", "\"disconnectReason\":\"UNKNOWN\",\"versionNumber\":0"));
  ASSERT_EQ(Connect(2, "device"), Verdict::kAllow);
  EXPECT_TRUE(took("$aws/events/presence/connected/device=", "\"versionNumber\":1"));
  ASSERT_EQ(Connect(3, "stranger", 7), Verdict::kClose);
  EXPECT_TRUE(took("$aws/events/presence/connect_failed/stranger=", "AUTHORIZATION_FAILED"));
  ASSERT_EQ(Connect(4, "no/+/topic"), Verdict::kAllow);
  for (int i = 0; i < 1000; ++i) Connect(1000 + i, "stranger", 7);
  EXPECT_EQ(events_.size(), Lifecycle::kMaxFailuresPerSecond - 1);
}

TEST_F(EdgeTest, RetainedMessagesComeToTheirOwnTopicOnly) {
  ASSERT_EQ(Connect(1, "device"), Verdict::kAllow);
  auto receives = [this](std::string_view filter, bool retain) {
    edge().OnSubscribe(Key(1), filter, 0);
    return edge().OnReceive(Key(1), "a/b", "a/b", "x", retain) == Verdict::kAllow;
  };
  EXPECT_TRUE(receives("a/b", true));
  EXPECT_FALSE(receives("a/#", true));
  EXPECT_FALSE(receives("a/+", true));
  EXPECT_FALSE(receives("$share/g/a/b", true));
  EXPECT_TRUE(receives("a/#", false));
  // What is published with RETAIN while somebody is subscribed is a message like others.
  edge().OnSubscribe(Key(1), "a/#", 0);
  ASSERT_EQ(Publish(1, "a/b", "x", 1, true), Verdict::kAllow);
  EXPECT_EQ(edge().OnReceive(Key(1), "a/b", "a/b", "x", true), Verdict::kAllow);
  edge().OnSubscribe(Key(1), "a/#", 0);
  Tick();
  EXPECT_EQ(edge().OnReceive(Key(1), "a/b", "a/b", "y", true), Verdict::kAllow);
  Pass(1000);
  EXPECT_EQ(retained_, std::vector<std::string>{"a/b 1 1"});
  ASSERT_EQ(Publish(1, "a/b", "longer", 0, true), Verdict::kAllow);
  ASSERT_EQ(Publish(1, "a/b", "", 0, true), Verdict::kAllow);
  Pass(1000);
  EXPECT_EQ(retained_.back(), "a/b 0 0");
  ASSERT_EQ(Connect(2, "newer", 1, true, 5), Verdict::kAllow);
  ASSERT_EQ(Publish(2, "a/b", "x", 1, true), Verdict::kAllow);
  Pass(1000);
  EXPECT_EQ(retained_.back(), "a/b 1 1 may expire");
}

TEST_F(EdgeTest, AnUnregisteredCertificateIsOfferedSomeTimesASecond) {
  ASSERT_EQ(Connect(1, "device", 7), Verdict::kClose);
  ASSERT_EQ(Connect(2, "device", 7), Verdict::kClose);
  Pass(1000);
  EXPECT_EQ(offered_, 2);
  EXPECT_EQ(edge().StandingOf(Print(7)), crypto::PeerStanding::kUnknown);
  EXPECT_EQ(edge().StandingOf(Print(1)), crypto::PeerStanding::kVouched);
  for (int i = 0; i < 1000; ++i) Connect(1000 + i, "device", 7);
  Pass(1000);
  EXPECT_EQ(offered_, 52);
  WriteSnapshot(2, policy::CertificateStatus::kInactive);
  ASSERT_EQ(ConnectServer(99), Verdict::kAllow);
  Command({});
  ASSERT_EQ(Connect(3, "device"), Verdict::kClose);
  Pass(1000);
  EXPECT_EQ(offered_, 52);  // known, and not waiting
}

TEST_F(EdgeTest, AFailedHandshakeIsKnownByItsCertificate) {
  ASSERT_EQ(Connect(1, "device"), Verdict::kAllow);
  edge().OnHandshakeRefused(Print(8), crypto::PeerStanding::kAlone, "no issuer");
  edge().OnDisconnect(Key(50), nullptr, "192.0.2.9", false);
  edge().OnHandshakeRefused(Print(8), crypto::PeerStanding::kUnknown, "no issuer");
  edge().OnDisconnect(Key(51), nullptr, "192.0.2.9", false);
  edge().OnDisconnect(Key(52), nullptr, "192.0.2.9", false);
  Pass(1000);
  EXPECT_EQ(refused_, (std::map<std::string, std::uint64_t>{
                          {"CERTIFICATE_WITHOUT_CA", 1}, {"UNTRUSTED_CERTIFICATE", 1}, {"NO_HANDSHAKE", 1}}));
}

TEST_F(EdgeTest, DeletingAConnectionSaysWhetherThereWasOne) {
  ASSERT_EQ(ConnectServer(99), Verdict::kAllow);
  ASSERT_EQ(Connect(1, "online"), Verdict::kAllow);
  ASSERT_EQ(Connect(2, "session", 1, false), Verdict::kAllow);
  Disconnect(2);
  std::uint64_t request = 0;
  for (std::string_view id : {"online", "session", "nobody", "$server"}) {
    report::EdgeCommand command;
    command.kind = report::EdgeCommandKind::kDeleteConnection;
    command.client_id = id;
    command.request = ++request;
    Command(command);
  }
  Pass(1000);
  EXPECT_EQ(done_, (std::map<std::uint64_t, bool>{{1, true}, {2, true}, {3, false}, {4, false}}));
  EXPECT_EQ(kicked_, std::vector<std::string>{"online"});
  EXPECT_EQ(disconnected_.back(), "API_INITIATED_DISCONNECT");
}

TEST_F(EdgeTest, AnswersWhoseTopicsShareAnAddressCountEach) {
  ASSERT_EQ(Connect(2, "sub"), Verdict::kAllow);
  const char* stored = "freed and taken again";
  for (std::string_view answer : {"1", "2", "3"}) {
    for (int filter = 0; filter < 2; ++filter) edge().OnReceive(Key(2), "t", stored, answer);
  }
  Pass(1000);
  EXPECT_EQ(totals_["sub"].counts.messages_received, 3u);
}

TEST_F(EdgeTest, Trap3QueuedMessagesCountOnDelivery) {
  ASSERT_EQ(Connect(1, "pub"), Verdict::kAllow);
  ASSERT_EQ(Connect(2, "sub", 1, false), Verdict::kAllow);
  Disconnect(2);
  const char* stored[] = {"m1", "m2", "m3"};
  for (const char* message : stored) {
    Publish(1, "t");
    EXPECT_EQ(edge().OnReceive(Key(2), "t", message), Verdict::kAllow) << "it must be queued";
  }
  Pass(1000);
  EXPECT_EQ(totals_["sub"].counts.messages_received, 0u);
  ASSERT_EQ(Connect(3, "sub", 1, false), Verdict::kAllow);
  Disconnect(2);
  for (const char* message : stored) edge().OnReceive(Key(3), "t", message);  // no publish in between
  Pass(1000);
  EXPECT_EQ(totals_["sub"].counts.messages_received, 3u);
}

TEST_F(EdgeTest, SessionsRestoredByTheBrokerAreQueuedFor) {
  EXPECT_EQ(edge().OnReceive(Key(40), "t", "m"), Verdict::kAllow);
  EXPECT_EQ(Publish(40, "t"), Verdict::kDeny);
}

TEST_F(EdgeTest, Trap5ConnectionsThatNeverWereSessionsAreCountedByAddress) {
  for (int i = 0; i < 300; ++i) edge().OnDisconnect(Key(1000 + i), nullptr, "198.51.100.7", false);
  edge().OnDisconnect(Key(5), nullptr, "198.51.100.7", true);
  Pass(1000);
  EXPECT_EQ(refused_["NO_HANDSHAKE"], 300u) << "the flood is summed up, not lost";
  EXPECT_EQ(refused_["NO_CONNECT"], 1u);
}

TEST_F(EdgeTest, Trap7SighupDisturbsNobody) {
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  ASSERT_EQ(Connect(2, "b", 1, false), Verdict::kAllow);
  Disconnect(2);
  edge().OnReload();
  EXPECT_EQ(Connect(1, "a"), Verdict::kAllow);
  ConnectRequest offline;
  offline.client = Key(2);
  offline.client_id = "b";
  EXPECT_EQ(edge().OnConnect(offline), Verdict::kAllow);
  Tick();
  EXPECT_EQ(edge().OnConnect(offline), Verdict::kClose) << "outside a reload nobody comes in without a certificate";
  Pass(1000);
  EXPECT_EQ(totals_["a"].counts.connection_attempts, 1u);
}

TEST_F(EdgeTest, WillsAreCheckedAndNotCounted) {
  ASSERT_EQ(Connect(1, "n", 2), Verdict::kAllow);
  Disconnect(1);
  EXPECT_EQ(Publish(1, "ok/will"), Verdict::kAllow);
  EXPECT_EQ(Publish(1, "elsewhere"), Verdict::kDeny);
  Pass(1000);
  EXPECT_EQ(totals_["n"].counts.messages_sent, 0u);
  EXPECT_EQ(totals_["n"].counts.authorization_failures, 0u);
}

TEST_F(EdgeTest, DeniedRequestsByProtocol) {
  ASSERT_EQ(Connect(1, "v4", 2, true, 4), Verdict::kAllow);
  EXPECT_EQ(Publish(1, "no"), Verdict::kClose);
  EXPECT_EQ(edge().OnSubscribe(Key(1), "no", 0), Verdict::kClose);
  ASSERT_EQ(Connect(2, "v5", 2, true, 5), Verdict::kAllow);
  EXPECT_EQ(Publish(2, "no", "x", 1), Verdict::kDeny);
  EXPECT_EQ(Publish(2, "no", "x", 0), Verdict::kClose) << "QoS 0 has no answer that could say no";
  EXPECT_EQ(edge().OnSubscribe(Key(2), "no", 0), Verdict::kDeny);
  Pass(1000);
  EXPECT_EQ(totals_["v4"].counts.authorization_failures, 2u);
  EXPECT_EQ(totals_["v5"].counts.authorization_failures, 3u);
  EXPECT_EQ(totals_["v4"].counts.messages_sent, 0u);
  EXPECT_EQ(refused_["DENIED"], 5u);
}

TEST_F(EdgeTest, CountsByTheDimensionsOfTheTopic) {
  ASSERT_EQ(ConnectServer(99), Verdict::kAllow);
  ASSERT_EQ(Connect(1, "n", 2, true, 5), Verdict::kAllow);
  auto set = [&](std::uint64_t from, std::vector<policy::DimensionEntry> dimensions) {
    report::EdgeCommand command;
    command.kind = report::EdgeCommandKind::kDelta;
    std::string delta = Delta(from, {policy::SetDimensions{std::move(dimensions)}});
    command.delta = delta;
    Command(command);
  };
  EXPECT_EQ(Publish(1, "ok/a", "12345"), Verdict::kAllow);  // before anything is watched
  set(1, {{"a", {"ok/a/#", "no/+"}, 2, 3}, {"mine", {"ok/${iot:ClientId}"}, 4, 0}});
  EXPECT_EQ(Publish(1, "ok/a/1", "12345"), Verdict::kAllow);
  EXPECT_EQ(Publish(1, "ok/a/1", "123"), Verdict::kAllow);  // the same topic: remembered
  EXPECT_EQ(Publish(1, "ok/n", "1234567"), Verdict::kAllow);
  EXPECT_EQ(edge().OnReceive(Key(1), "ok/a/2", "p"), Verdict::kAllow);
  EXPECT_EQ(edge().OnSubscribe(Key(1), "no/+", 0), Verdict::kDeny);
  EXPECT_EQ(edge().OnSubscribe(Key(1), "$share/g/no/x", 0), Verdict::kDeny);
  EXPECT_EQ(edge().OnSubscribe(Key(1), "no/+/x", 0), Verdict::kDeny);
  Pass(1000);
  EXPECT_EQ(totals_["n"].counts.messages_sent, 4u);
  EXPECT_EQ(totals_["n#2"].counts.messages_sent, 2u);
  EXPECT_EQ(totals_["n#2"].counts.bytes_sent, 8u);
  EXPECT_EQ(totals_["n#2"].counts.max_payload, 5u);
  EXPECT_EQ(totals_["n#3"].counts.messages_sent, 1u);
  EXPECT_EQ(totals_["n#3"].counts.max_payload, 7u);
  EXPECT_EQ(totals_["n#4"].counts.messages_sent, 1u);
  EXPECT_EQ(totals_.count("n#5"), 0u) << "nobody watches that side";
  EXPECT_EQ(totals_["n#2"].counts.messages_received, 1u);
  EXPECT_EQ(totals_["n#2"].counts.authorization_failures, 2u);
  EXPECT_EQ(totals_["n#3"].counts.authorization_failures, 1u);
  // Other filters: what was counted by the former is told first, what is remembered of topics is asked again.
  EXPECT_EQ(Publish(1, "ok/a/1"), Verdict::kAllow);
  set(2, {{"a", {"ok/b"}, 2, 3}});
  EXPECT_EQ(Publish(1, "ok/a/1"), Verdict::kAllow);
  Disconnect(1);
  Pass(1000);
  EXPECT_EQ(totals_["n#2"].counts.messages_sent, 3u);
  EXPECT_EQ(totals_["n#3"].counts.messages_sent, 2u);
  EXPECT_EQ(totals_["n"].counts.messages_sent, 6u);
}

TEST_F(EdgeTest, SubackWhenConfigured) {
  options_.close_on_denied_subscribe = false;
  ASSERT_EQ(Connect(1, "v4", 2, true, 4), Verdict::kAllow);
  EXPECT_EQ(edge().OnSubscribe(Key(1), "no", 0), Verdict::kDeny);
  ASSERT_EQ(Connect(2, "v3", 2, true, 3), Verdict::kAllow);
  EXPECT_EQ(edge().OnSubscribe(Key(2), "no", 0), Verdict::kClose) << "MQTT 3.1 cannot say no in SUBACK";
}

TEST_F(EdgeTest, ReportsAreForwardedWithTheirSender) {
  ASSERT_EQ(Connect(1, "thing"), Verdict::kAllow);
  EXPECT_EQ(Publish(1, "$aws/things/thing/defender/metrics/json", "{1}"), Verdict::kAllow);
  Tick();
  EXPECT_EQ(reports_, std::vector<std::string>{"thing={1}"});
  EXPECT_EQ(report_flags_, 0);
  EXPECT_EQ(edge().OnSubscribe(Key(1), "$aws/things/thing/defender/metrics/json/accepted", 0), Verdict::kAllow);
  EXPECT_EQ(Publish(1, "$aws/things/thing/defender/metrics/cbor", "{2}"), Verdict::kAllow);
  Tick();
  EXPECT_EQ(reports_.back(), "thing={2}");
  EXPECT_EQ(report_flags_, report::ReportFrame::kAnswerSubscribed);
}

TEST_F(EdgeTest, TooLargePayloadsCloseAndAreNotReports) {
  ASSERT_EQ(Connect(1, "thing"), Verdict::kAllow);
  std::string largest(131072, 'x');
  EXPECT_EQ(Publish(1, "$aws/things/thing/defender/metrics/json", largest), Verdict::kAllow);
  EXPECT_EQ(Publish(1, "$aws/things/thing/defender/metrics/json", largest + "x"), Verdict::kClose);
  Disconnect(1);
  Pass(1000);
  EXPECT_EQ(reports_.size(), 1u);
  EXPECT_EQ(disconnected_, std::vector<std::string>{"CLIENT_ERROR"});
  EXPECT_EQ(totals_["thing"].counts.max_payload, 131072u);
}

TEST_F(EdgeTest, PublishesOverTheRateAreDiscarded) {
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  int allowed = 0;
  for (int i = 0; i < 1000; ++i) allowed += Publish(1, "t") == Verdict::kAllow ? 1 : 0;
  EXPECT_EQ(allowed, 100);
  Pass(1000);
  EXPECT_EQ(totals_["a"].counts.messages_sent, 100u);
  EXPECT_EQ(totals_["a"].counts.messages_discarded, 900u);
  EXPECT_EQ(totals_["a"].counts.authorization_failures, 0u);
}

TEST_F(EdgeTest, BucketsAreAlignedAndTheirEndNamesEveryClient) {
  clock_.wall += 299'000;
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  ASSERT_EQ(Connect(2, "silent"), Verdict::kAllow);
  Publish(1, "t");
  clock_.wall += 1500;  // over the boundary, without a tick
  clock_.monotonic += 1500;
  Publish(1, "t");
  Publish(1, "t");
  Pass(1000);
  EXPECT_EQ(buckets_["a"][1'800'000'000'000], 1u);
  EXPECT_EQ(buckets_["a"][1'800'000'300'000], 2u);
  EXPECT_TRUE(totals_["silent"].connected);
  std::uint64_t records = totals_["silent"].records;
  Pass(298'000);
  Pass(5000);
  EXPECT_GT(totals_["silent"].records, records) << "a connected client has a datapoint 0";
  EXPECT_EQ(bucket_flags_ & report::CountersFrame::kBucketEnd, report::CountersFrame::kBucketEnd);
}

TEST_F(EdgeTest, AStepOfTheWallClockIsMarked) {
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  Pass(1000);
  Publish(1, "t");
  clock_.wall += 600'000;
  Pass(1000);
  Publish(1, "t");
  Pass(1000);
  EXPECT_EQ(steps_, 600'000);
  EXPECT_EQ(bucket_flags_ & report::CountersFrame::kClockStep, report::CountersFrame::kClockStep);
  EXPECT_EQ(buckets_["a"][1'800'000'000'000], 1u);
  EXPECT_EQ(buckets_["a"][1'800'000'600'000], 1u);
}

TEST_F(EdgeTest, TheControlClientNeedsListenerSecretAndId) {
  EXPECT_EQ(ConnectServer(50, "device", kSecret, false), Verdict::kClose) << "a device's session is not resumed";
  EXPECT_EQ(ConnectServer(50, "device", kSecret, true), Verdict::kAllow) << "it is ended by a clean one";
  EXPECT_EQ(ConnectServer(51, "$server", "wrong"), Verdict::kClose);
  EXPECT_EQ(Connect(52, "$server"), Verdict::kClose) << "ids with $ are not for devices";
  EXPECT_EQ(ConnectServer(99), Verdict::kAllow);
  EXPECT_EQ(Publish(99, "$aws/things/t/defender/metrics/json/accepted"), Verdict::kAllow);
}

TEST_F(EdgeTest, DeltasTakeEffectOnLiveConnectionsAndAreAnswered) {
  ASSERT_EQ(ConnectServer(99), Verdict::kAllow);
  ASSERT_EQ(Connect(1, "a", 1), Verdict::kAllow);
  ASSERT_EQ(Connect(3, "c", 3), Verdict::kAllow);
  std::string delta = Delta(1, {Certificate(1, policy::CertificateStatus::kRevoked)});
  report::EdgeCommand command;
  command.kind = report::EdgeCommandKind::kDelta;
  command.delta = delta;
  Command(command);
  EXPECT_EQ(kicked_, std::vector<std::string>{"a"});
  Command(command);  // the same again: nothing new
  std::string later = Delta(4, {Certificate(3, policy::CertificateStatus::kRevoked)});
  command.delta = later;
  Command(command);  // a gap
  Tick();
  EXPECT_EQ(applied_, (std::vector<std::int64_t>{2, 2, -1}));
  EXPECT_EQ(Publish(3, "t"), Verdict::kAllow);
  EXPECT_EQ(Connect(1, "a", 1), Verdict::kClose);
  WriteSnapshot(3, policy::CertificateStatus::kInactive);
  command = {};
  Command(command);
  Tick();
  EXPECT_EQ(applied_.back(), 3);
  EXPECT_EQ(kicked_.back(), "c");
  EXPECT_EQ(disconnected_, (std::vector<std::string>{"AUTH_ERROR", "AUTH_ERROR"}));
}

TEST_F(EdgeTest, OnlyTheServerCommands) {
  ASSERT_EQ(Connect(1, "victim"), Verdict::kAllow);
  ASSERT_EQ(Connect(99, "evil"), Verdict::kAllow);
  report::EdgeCommand command;
  command.kind = report::EdgeCommandKind::kDisconnectClient;
  command.client_id = "victim";
  Command(command);
  EXPECT_TRUE(kicked_.empty());
  EXPECT_EQ(Publish(99, "$CONTROL/fleetward/v1"), Verdict::kClose);
}

TEST_F(EdgeTest, DisconnectOnCommand) {
  ASSERT_EQ(ConnectServer(99), Verdict::kAllow);
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  report::EdgeCommand command;
  command.kind = report::EdgeCommandKind::kDisconnectClient;
  command.client_id = "a";
  Command(command);
  Tick();
  EXPECT_EQ(kicked_, std::vector<std::string>{"a"});
  EXPECT_EQ(disconnected_, std::vector<std::string>{"API_INITIATED_DISCONNECT"});
}

TEST_F(EdgeTest, ExpiryEndsALiveConnection) {
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  Pass(3599'000);
  EXPECT_TRUE(kicked_.empty());
  Pass(2000);
  EXPECT_EQ(kicked_, std::vector<std::string>{"a"});
  EXPECT_EQ(Connect(2, "a"), Verdict::kClose);
  Pass(1000);
  EXPECT_EQ(refused_["CERTIFICATE_EXPIRED"], 1u);
}

TEST_F(EdgeTest, AConditionOnTheTimeEndsALiveConnection) {
  ASSERT_EQ(ConnectServer(99), Verdict::kAllow);
  ASSERT_EQ(Connect(1, "a", 1), Verdict::kAllow);
  ASSERT_EQ(Connect(2, "b", 2), Verdict::kAllow);
  policy::PolicyEntry timed;
  timed.number = 0;
  timed.name = "p0";
  const std::string end = std::to_string(clock_.wall / 1000 + 10);
  timed.body = policy::CompilePolicy("p0", R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*",
      "Resource":"*","Condition":{"NumericLessThan":{"aws:EpochTime":")" + end + R"("}}}]})").value().body;
  report::EdgeCommand command;
  command.kind = report::EdgeCommandKind::kDelta;
  std::string delta = Delta(1, {timed});
  command.delta = delta;
  Command(command);
  Pass(9000);
  EXPECT_TRUE(kicked_.empty());
  EXPECT_EQ(edge().OnReceive(Key(1), "t", nullptr), Verdict::kAllow);
  Pass(2000);
  EXPECT_EQ(kicked_, std::vector<std::string>{"a"});
  EXPECT_EQ(Publish(2, "ok/t"), Verdict::kAllow);
}

TEST_F(EdgeTest, WhatMayBeReadIsAskedForAgainAfterADelta) {
  ASSERT_EQ(ConnectServer(99), Verdict::kAllow);
  ASSERT_EQ(Connect(2, "b", 2), Verdict::kAllow);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(edge().OnReceive(Key(2), "ok/t", nullptr), Verdict::kAllow);
    EXPECT_EQ(edge().OnReceive(Key(2), "other", nullptr), Verdict::kDeny);
  }
  EXPECT_EQ(edge().OnReceive(Key(2), "ok/t", nullptr), Verdict::kAllow);
  policy::PolicyEntry narrower;
  narrower.number = 1;
  narrower.name = "p1";
  narrower.body = policy::CompilePolicy("p1", R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",
      "Action":"iot:Connect","Resource":"*"}]})").value().body;
  report::EdgeCommand command;
  command.kind = report::EdgeCommandKind::kDelta;
  std::string delta = Delta(1, {narrower});
  command.delta = delta;
  Command(command);
  EXPECT_TRUE(kicked_.empty());
  EXPECT_EQ(edge().OnReceive(Key(2), "ok/t", nullptr), Verdict::kDeny);
}

TEST_F(EdgeTest, OneCertificateCannotTakeTheBroker) {
  options_.max_clients_per_certificate = 10;
  options_.max_sessions_per_certificate = 5;
  options_.max_retained_per_certificate = 3;
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Connect(1 + i, "c" + std::to_string(i), 1), Verdict::kAllow);
  EXPECT_EQ(Connect(20, "one more", 1), Verdict::kClose);
  EXPECT_EQ(Connect(21, "c0", 1), Verdict::kAllow) << "a take-over adds nothing";
  Disconnect(1);
  EXPECT_EQ(Connect(22, "another", 3), Verdict::kAllow);
  for (int i = 1; i < 10; ++i) Disconnect(1 + i);
  Tick();
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    admitted += Connect(100 + i, "s" + std::to_string(i), 1, false) == Verdict::kAllow ? 1 : 0;
    Disconnect(100 + i);
  }
  EXPECT_EQ(admitted, 5) << "persistent sessions";
  EXPECT_EQ(Connect(100, "s0", 1, false), Verdict::kAllow) << "the known ones come back";
  for (int i = 0; i < 50; ++i) Publish(100, "retained/" + std::to_string(i), "x", 1, true);
  EXPECT_EQ(edge().OnSubscribe(Key(100), "f", 50), Verdict::kDeny);
  Pass(1000);
  EXPECT_EQ(totals_["s0"].counts.messages_sent, 3u);
  EXPECT_EQ(refused_["LIMIT"], 1u + 995u + 1u);
}

TEST_F(EdgeTest, WhatAClientDoesNotReadIsBounded) {
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  std::string payload(128 * 1024, 'x');
  auto deliver = [&](int times) {
    int allowed = 0;
    for (int i = 0; i < times; ++i) {
      Publish(1, "t");  // another message
      allowed += edge().OnReceive(Key(1), "t", Key(1000 + i), payload) == Verdict::kAllow ? 1 : 0;
    }
    return allowed;
  };
  EXPECT_EQ(deliver(40), 40) << "it reads";
  takes_more_ = false;
  EXPECT_LE(deliver(40), 8) << "1 MB";
  takes_more_ = true;
  EXPECT_EQ(deliver(10), 10);
  Pass(1000);
  EXPECT_GE(totals_["a"].counts.messages_discarded, 32u);
  EXPECT_EQ(totals_["a"].counts.messages_received + totals_["a"].counts.messages_discarded, 90u);
}

TEST_F(EdgeTest, WithoutTheServerCountsAreKeptUntilItReturns) {
  ASSERT_EQ(Connect(1, "a"), Verdict::kAllow);
  for (int second = 0; second < 50; ++second) {
    Publish(1, "t");
    clock_.wall += 1000;
    clock_.monotonic += 1000;
    edge().OnTick();
  }
  Pass(1000);
  Pass(1000);
  EXPECT_EQ(totals_["a"].counts.messages_sent, 50u);
}

}  // namespace
}  // namespace fleetward::plugin
