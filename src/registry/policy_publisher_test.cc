#include "fleetward/registry/policy_publisher.h"

#include <cstdlib>
#include <filesystem>
#include <random>

#include "fleetward/base/file.h"
#include "fleetward/policy/device_session.h"
#include "fleetward/policy/snapshot_journal.h"
#include "fleetward/policy/snapshot_state.h"
#include "test_registry.h"

namespace fleetward::registry {
namespace {

using model::PolicyName;
using model::ThingName;

struct PolicyPublisherTest : TestRegistry {
  std::string folder;
  std::unique_ptr<PolicyPublisher> publisher;
  std::mutex mutex;
  policy::SnapshotState broker;  // what a plugin would hold
  policy::DeviceRules rules;
  int refused_deltas = 0;

  void SetUp() override {
    char name[] = "/tmp/fleetward-publisher-XXXXXX";
    folder = mkdtemp(name);
    StartPublisher();
  }
  void TearDown() override {
    publisher.reset();
    std::filesystem::remove_all(folder);
  }
  std::string path() const { return folder + "/policy.snapshot"; }
  void StartPublisher(std::chrono::milliseconds quiet = std::chrono::milliseconds(200)) {
    publisher = std::make_unique<PolicyPublisher>(PublisherOptions{.path = path(), .quiet = quiet}, *control, arns);
    hub = ChangeHub();
    hub.Add(directory);
    hub.Add(*publisher);
    registry = std::make_unique<Registry>(Context{*control, clock, arns, quotas, hub, *publisher}, ca, keys);
    ASSERT_TRUE(publisher->Start().ok());
    LoadFile(broker);
    publisher->SetSink([this](std::uint64_t, const std::string& delta) {
      std::lock_guard lock(mutex);
      if (!broker.Apply(delta).ok()) ++refused_deltas;
    });
  }
  void LoadFile(policy::SnapshotState& state) {
    auto bytes = std::make_shared<std::string>(*ReadFile(path()));
    auto loaded = state.Load(*bytes, bytes);
    ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  }
  /// As a broker does that starts without a server.
  void LoadFileAndJournal(policy::SnapshotState& state) {
    LoadFile(state);
    for (int index : {0, 1, 0}) policy::ApplyJournal(*ReadFile(policy::JournalPath(path(), index)), state);
  }
  bool CanConnect(const policy::SnapshotState& state, const Certificate& certificate, const std::string& client) {
    policy::DeviceSession session(state, rules, nullptr, *policy::FingerprintOf(certificate.id.value()), client,
                                  std::nullopt);
    return session.CanConnect({}, clock.Now()) == policy::Refusal::kNone;
  }
  bool CanConnect(const Certificate& certificate, const std::string& client) {
    std::lock_guard lock(mutex);
    return CanConnect(broker, certificate, client);
  }
};

TEST_F(PolicyPublisherTest, CallsReturnWhenDeltasAreOut) {
  auto certificate = MakeCertificate();
  EXPECT_FALSE(CanConnect(certificate, "dev"));
  EXPECT_OK(registry->policies.Create("t", PolicyName("p"), Document("dev")));
  EXPECT_OK(registry->policies.Attach("t", PolicyName("p"), ArnOf(certificate)));
  EXPECT_TRUE(CanConnect(certificate, "dev"));
  EXPECT_FALSE(CanConnect(certificate, "other"));
  EXPECT_OK(registry->policies.CreateVersion("t", PolicyName("p"), Document("other"), true));
  EXPECT_FALSE(CanConnect(certificate, "dev"));
  EXPECT_TRUE(CanConnect(certificate, "other"));
  EXPECT_OK(registry->certificates.UpdateStatus("t", certificate.id, CertificateStatus::kInactive));
  EXPECT_FALSE(CanConnect(certificate, "other"));
  EXPECT_OK(registry->certificates.UpdateStatus("t", certificate.id, CertificateStatus::kActive));
  EXPECT_TRUE(CanConnect(certificate, "other"));
  EXPECT_OK(registry->policies.Detach("t", PolicyName("p"), ArnOf(certificate)));
  EXPECT_FALSE(CanConnect(certificate, "other"));
  EXPECT_EQ(refused_deltas, 0);
}

TEST_F(PolicyPublisherTest, GroupPoliciesReachMembersThroughAncestors) {
  auto certificate = MakeCertificate();
  MakeThing("dev");
  EXPECT_OK(registry->things.AttachPrincipal("t", ThingName("dev"), ArnOf(certificate)));
  MakeGroup("root");
  MakeGroup("leaf", "root");
  EXPECT_OK(registry->policies.Create("t", PolicyName("p"), Document("dev")));
  EXPECT_OK(registry->policies.Attach("t", PolicyName("p"), arns.ThingGroup("root")));
  EXPECT_FALSE(CanConnect(certificate, "dev"));
  EXPECT_OK(Join("leaf", "dev"));
  EXPECT_TRUE(CanConnect(certificate, "dev"));
  EXPECT_OK(registry->policies.Detach("t", PolicyName("p"), arns.ThingGroup("root")));
  EXPECT_FALSE(CanConnect(certificate, "dev"));
  EXPECT_OK(registry->policies.Attach("t", PolicyName("p"), arns.ThingGroup("leaf")));
  EXPECT_TRUE(CanConnect(certificate, "dev"));
  EXPECT_OK(registry->thing_groups.Delete("t", model::ThingGroupName("leaf"), std::nullopt));
  EXPECT_FALSE(CanConnect(certificate, "dev"));
  EXPECT_EQ(refused_deltas, 0);
}

TEST_F(PolicyPublisherTest, ProvisionedThingConnectsAsItselfOnly) {
  auto key = *crypto::PrivateKey::GenerateP256();
  auto provisioned = ProvisionThing(*registry, "t", ThingName("dev"), *crypto::CertificateRequest::MakePem(key, "dev"));
  ASSERT_TRUE(provisioned.ok());
  std::lock_guard lock(mutex);
  policy::DeviceSession session(broker, rules, nullptr,
                                *policy::FingerprintOf(provisioned->certificate.id.value()), "dev", std::nullopt);
  using policy::Refusal;
  EXPECT_EQ(session.CanConnect({}, clock.Now()), Refusal::kNone);
  for (std::string format : {"json", "cbor"}) {
    std::string topic = "$aws/things/dev/defender/metrics/" + format;
    EXPECT_EQ(session.CanPublish(topic, false, clock.Now()), Refusal::kNone);
    EXPECT_EQ(session.CanSubscribe(topic + "/accepted", clock.Now()), Refusal::kNone);
    EXPECT_EQ(session.CanReceive(topic + "/rejected", clock.Now()), Refusal::kNone);
    EXPECT_NE(session.CanPublish(topic + "/accepted", false, clock.Now()), Refusal::kNone);
  }
  EXPECT_NE(session.CanPublish("$aws/things/other/defender/metrics/json", false, clock.Now()), Refusal::kNone);
  EXPECT_NE(session.CanPublish("anything", false, clock.Now()), Refusal::kNone);
  EXPECT_FALSE(CanConnect(broker, provisioned->certificate, "other"));
}

TEST_F(PolicyPublisherTest, RestartForcesAFreshMap) {
  auto certificate = MakeCertificate();
  EXPECT_OK(registry->policies.Create("t", PolicyName("p"), Document("dev")));
  EXPECT_OK(registry->policies.Attach("t", PolicyName("p"), ArnOf(certificate)));
  std::uint64_t before = publisher->version();
  hub = ChangeHub();
  publisher.reset();
  {
    // Stopping wrote what was new.
    policy::SnapshotState fresh;
    LoadFile(fresh);
    EXPECT_EQ(fresh.version(), before);
    EXPECT_TRUE(CanConnect(fresh, certificate, "dev"));
  }
  StartPublisher();
  EXPECT_GT(publisher->version(), before);
  EXPECT_TRUE(CanConnect(certificate, "dev"));
  // The file may be lost: versions still grow.
  std::uint64_t second = publisher->version();
  publisher.reset();
  std::filesystem::remove(path());
  StartPublisher();
  EXPECT_GT(publisher->version(), second);
}

// Decision 20: server and broker may both be killed right after a call was answered, and the broker come up alone.
TEST_F(PolicyPublisherTest, WhatWasAnsweredIsBesideTheFile) {
  publisher.reset();
  StartPublisher(std::chrono::hours(1));  // no file but those that are asked for
  auto certificate = MakeCertificate();
  EXPECT_OK(registry->policies.Create("t", PolicyName("p"), Document("dev")));
  EXPECT_OK(registry->policies.Attach("t", PolicyName("p"), ArnOf(certificate)));
  std::filesystem::path temporary = path() + ".tmp";
  for (int step = 0; step < 40; ++step) {
    bool active = step % 2 == 0;
    auto status = active ? CertificateStatus::kActive : CertificateStatus::kInactive;
    EXPECT_OK(registry->certificates.UpdateStatus("t", certificate.id, status));
    policy::SnapshotState alone;
    LoadFileAndJournal(alone);
    EXPECT_EQ(alone.version(), publisher->version()) << step;
    EXPECT_EQ(CanConnect(alone, certificate, "dev"), active) << step;
    if (step % 10 == 3) {
      std::filesystem::create_directory(temporary);  // in the way of the next file
      EXPECT_FALSE(publisher->WriteSnapshot().ok());
      std::filesystem::remove(temporary);
    }
    if (step % 10 == 6) {
      EXPECT_TRUE(publisher->WriteSnapshot().ok());
    }
  }
  auto sizes = [&] {
    return std::filesystem::file_size(policy::JournalPath(path(), 0)) +
           std::filesystem::file_size(policy::JournalPath(path(), 1));
  };
  EXPECT_GT(sizes(), 0u);
  EXPECT_TRUE(publisher->WriteSnapshot().ok());
  EXPECT_EQ(sizes(), 0u);
}

struct RecordingBarrier final : EnforcementBarrier {
  bool WaitApplied(std::uint64_t version, std::chrono::milliseconds at_most) override {
    versions.push_back(version);
    EXPECT_LE(at_most.count(), 100);
    return true;
  }
  bool WaitServed(std::uint64_t version, std::chrono::milliseconds) override {
    served.push_back(version);
    return enforces;
  }
  std::vector<std::uint64_t> versions, served;
  bool enforces = true;
};

// Decision 42.
TEST_F(PolicyPublisherTest, NarrowingCallsWaitForTheBarrier) {
  auto certificate = MakeCertificate();
  RecordingBarrier barrier;
  publisher->SetBarrier(&barrier);
  EXPECT_OK(registry->certificates.UpdateStatus("t", certificate.id, CertificateStatus::kRevoked));
  publisher->SetBarrier(nullptr);
  ASSERT_EQ(barrier.versions.size(), 1u);
  EXPECT_EQ(barrier.versions[0], publisher->version());
}

TEST_F(PolicyPublisherTest, WhoeverAwaitsHearsWhetherABrokerEnforces) {
  MakeCertificate();
  RecordingBarrier barrier;
  publisher->SetBarrier(&barrier);
  EXPECT_TRUE(publisher->Await(std::chrono::seconds(5)));
  EXPECT_EQ(barrier.served, std::vector{publisher->version()});
  barrier.enforces = false;
  EXPECT_FALSE(publisher->Await(std::chrono::seconds(5)));
  publisher->SetBarrier(nullptr);
}

// Property: a broker that followed the deltas decides as one that maps a fresh file.
TEST_F(PolicyPublisherTest, DeltasEqualAFreshFileUnderRandomChanges) {
  std::mt19937 random(11);
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  int yes = 0, no = 0;
  std::vector<Certificate> certificates;
  for (int i = 0; i < 6; ++i) certificates.push_back(MakeCertificate());
  for (int i = 0; i < 6; ++i) MakeThing("t" + std::to_string(i));
  MakeGroup("g0");
  MakeGroup("g1", "g0");
  MakeGroup("g2");
  std::vector<PolicyName> policies;
  for (int i = 0; i < 4; ++i) {
    policies.emplace_back("p" + std::to_string(i));
    EXPECT_OK(registry->policies.Create("t", policies.back(), Document("t" + std::to_string(i))));
  }
  for (int step = 0; step < 300; ++step) {
    const Certificate& certificate = certificates[static_cast<std::size_t>(pick(6))];
    const PolicyName& policy = policies[static_cast<std::size_t>(pick(4))];
    ThingName thing("t" + std::to_string(pick(6)));
    std::string group = "g" + std::to_string(pick(3));
    // Refusals (limits, hierarchy) are part of the game.
    switch (pick(8)) {
      case 0: (void)registry->policies.Attach("t", policy, ArnOf(certificate)); break;
      case 1: (void)registry->policies.Detach("t", policy, ArnOf(certificate)); break;
      case 2: (void)registry->policies.Attach("t", policy, arns.ThingGroup(group)); break;
      case 3: (void)registry->policies.Detach("t", policy, arns.ThingGroup(group)); break;
      case 4: (void)registry->things.AttachPrincipal("t", thing, ArnOf(certificate)); break;
      case 5: (void)registry->things.DetachPrincipal("t", thing, ArnOf(certificate)); break;
      case 6: (void)Join(group, thing.value()); break;
      default:
        (void)registry->thing_groups.RemoveThing("t", model::ThingGroupName(group), thing);
        (void)registry->certificates.UpdateStatus(
            "t", certificate.id, pick(2) ? CertificateStatus::kActive : CertificateStatus::kInactive);
    }
    if (step % 50 != 49) continue;
    ASSERT_TRUE(publisher->WriteSnapshot().ok());
    policy::SnapshotState fresh;
    LoadFile(fresh);
    for (const Certificate& each : certificates) {
      for (int i = 0; i < 6; ++i) {
        std::string client = "t" + std::to_string(i);
        bool allowed = CanConnect(fresh, each, client);
        EXPECT_EQ(CanConnect(each, client), allowed) << client << " at " << step;
        ++(allowed ? yes : no);
      }
    }
  }
  EXPECT_EQ(refused_deltas, 0);
  EXPECT_GT(yes, 10);
  EXPECT_GT(no, 10);
}

}  // namespace
}  // namespace fleetward::registry
