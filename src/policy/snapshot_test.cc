#include "fleetward/policy/snapshot.h"

#include <random>

#include <gtest/gtest.h>

#include "fleetward/policy/snapshot_builder.h"
#include "fleetward/policy/snapshot_journal.h"
#include "fleetward/policy/snapshot_state.h"
#include "snapshot_format.h"

namespace fleetward::policy {
namespace {

Fingerprint Print(std::uint64_t n) {
  Fingerprint fingerprint{};
  for (int i = 0; i < 4; ++i) {
    std::uint64_t word = HashBytes(std::to_string(n), static_cast<std::uint64_t>(i));
    std::memcpy(fingerprint.data() + i * 8, &word, 8);
  }
  return fingerprint;
}

CertificateEntry Certificate(int n) {
  CertificateEntry e;
  e.fingerprint = Print(static_cast<std::uint64_t>(n));
  e.status = static_cast<CertificateStatus>(n % 6);
  e.alone = n % 5 == 0;
  e.not_after = FromMillis(1'700'000'000'000 + n);
  e.serial = std::to_string(n * 7);
  e.attributes = n % 3 == 0 ? "" : "attr";
  e.policy_set = n % 2 == 0 ? 0 : kNoPolicySet;
  for (int i = 0; i < n % 4; ++i) e.things.push_back("thing" + std::to_string((n + i) % 50));
  return e;
}

ThingEntry Thing(int n) {
  ThingEntry e;
  e.name = "thing" + std::to_string(n);
  e.type = n % 2 == 0 ? "sensor" : "";
  e.attributes = n % 5 == 0 ? "x" : "";
  e.policy_set = n % 3 == 0 ? 1 : kNoPolicySet;
  for (int i = 0; i < n % 3; ++i) e.certificates.push_back(Print(static_cast<std::uint64_t>((n + i) % 50)));
  if (n % 7 == 0) e.override_policies = ThingOverride{n % 14 == 0 ? 0 : kNoPolicySet};
  return e;
}

std::string BuildSmall() {
  SnapshotBuilder builder({5, "us-east-1", "123456789012"});
  builder.AddPolicySet({0, {0, 2}});
  builder.AddPolicySet({1, {2}});
  builder.AddPolicy({0, "p0", "body0"});
  builder.AddPolicy({2, "p2", "body2"});
  for (int i = 0; i < 50; ++i) builder.AddCertificate(Certificate(i));
  for (int i = 0; i < 50; ++i) builder.AddThing(Thing(i));
  builder.AddDimension({"d", {"a/#", "b"}, 2, 3});
  auto bytes = builder.Build(77);
  EXPECT_TRUE(bytes.ok()) << bytes.error().message();
  return *bytes;
}

/// Touches everything a view can be asked for.
void ReadAll(const SnapshotView& view) {
  std::uint32_t certificates = std::min<std::uint32_t>(view.certificate_count(), 200);
  for (std::uint32_t i = 0; i < certificates; ++i) (void)view.FindCertificate(view.CertificateAt(i).fingerprint);
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(view.thing_count(), 200); ++i) {
    (void)view.FindThing(view.ThingAt(i).name);
  }
  for (std::uint32_t i = 0; i < 5; ++i) {
    (void)view.FindPolicy(i);
    (void)view.FindPolicySet(i);
  }
  (void)view.Dimensions();
}

TEST(Snapshot, RoundTrip) {
  std::string bytes = BuildSmall();
  auto view = SnapshotView::Open(bytes);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->info(), (SnapshotInfo{5, "us-east-1", "123456789012"}));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(view->FindCertificate(Print(static_cast<std::uint64_t>(i))), Certificate(i));
    EXPECT_EQ(view->FindThing("thing" + std::to_string(i)), Thing(i));
  }
  EXPECT_FALSE(view->FindCertificate(Print(50)));
  EXPECT_FALSE(view->FindThing("thing50"));
  EXPECT_FALSE(view->FindThing(""));
  EXPECT_EQ(view->FindPolicy(2).body, "body2");
  EXPECT_TRUE(view->FindPolicy(1).body.empty());
  EXPECT_EQ(view->FindPolicySet(0), (std::vector<PolicyNumber>{0, 2}));
  EXPECT_FALSE(view->FindPolicySet(2));
  EXPECT_EQ(view->Dimensions(), (std::vector<DimensionEntry>{{"d", {"a/#", "b"}, 2, 3}}));
}

TEST(Snapshot, EmptyIsFine) {
  auto bytes = SnapshotBuilder({1, "r", "1"}).Build(0);
  ASSERT_TRUE(bytes.ok());
  auto view = SnapshotView::Open(*bytes);
  ASSERT_TRUE(view.ok());
  EXPECT_FALSE(view->FindThing("x"));
  EXPECT_FALSE(view->FindCertificate(Print(1)));
}

TEST(Snapshot, BuilderRefusesNonsense) {
  auto status = [](auto fill) {
    SnapshotBuilder builder({1, "r", "1"});
    fill(builder);
    auto built = builder.Build(1);
    return built.ok() ? Code::kInternal : built.error().code();
  };
  EXPECT_EQ(status([](auto& b) { b.AddCertificate({}); b.AddCertificate({}); }), Code::kInvalidArgument);
  EXPECT_EQ(status([](auto& b) { b.AddThing({.name = "a"}); b.AddThing({.name = "a"}); }), Code::kInvalidArgument);
  EXPECT_EQ(status([](auto& b) { b.AddPolicySet({0, {3}}); }), Code::kInvalidArgument);
  EXPECT_EQ(status([](auto& b) { b.AddThing({.name = "a", .policy_set = 3}); }), Code::kInvalidArgument);
  EXPECT_EQ(status([](auto& b) { b.AddThing({.name = "a", .certificates = {Print(1)}}); }), Code::kInvalidArgument);
}

TEST(Snapshot, EveryDamagedByteIsRefused) {
  std::string bytes = BuildSmall();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x41);
    EXPECT_FALSE(SnapshotView::Open(damaged).ok()) << i;
  }
  for (std::size_t size = 0; size < bytes.size(); size += 13) EXPECT_FALSE(SnapshotView::Open(bytes.substr(0, size)).ok());
}

TEST(Snapshot, DamageUnderRightChecksumsReadsNothingOutside) {
  std::string bytes = BuildSmall();
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = bytes;
    for (int i = 0; i < 4; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    format::Seal(damaged);
    auto view = SnapshotView::Open(damaged);
    if (view.ok()) ReadAll(*view);
  }
}

TEST(Delta, RoundTripAndDamage) {
  SnapshotDelta delta{5, 6, {Certificate(3), Thing(7), PolicyEntry{1, "n", "b"}, PolicySetEntry{4, {1, 2}},
                             RemoveCertificate{Print(2)}, RemoveThing{"thing1"}, RemovePolicy{0}, RemovePolicySet{1},
                             SetDimensions{{{"d", {"x"}, 0, 5}}}}};
  std::string bytes = EncodeDelta(delta);
  auto decoded = DecodeDelta(bytes);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, delta);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(DecodeDelta(bytes.substr(0, i)).ok());
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(DecodeDelta(damaged).ok()) << i;
  }
}

TEST(State, DeltasLieOverTheBase) {
  auto base = std::make_shared<std::string>(BuildSmall());
  SnapshotState state;
  EXPECT_FALSE(state.FindThing("thing1"));
  EXPECT_FALSE(state.Apply(EncodeDelta({0, 1, {}})).ok());
  ASSERT_TRUE(state.Load(*base, base).ok());
  EXPECT_EQ(state.version(), 5u);
  std::vector<PolicyRef> policies;
  EXPECT_TRUE(state.AppendPolicies(0, policies));
  ASSERT_EQ(policies.size(), 2u);
  EXPECT_EQ(policies[0].body, "body0");

  auto gap = state.Apply(EncodeDelta({6, 7, {}}));
  ASSERT_FALSE(gap.ok());
  EXPECT_EQ(gap.error().code(), Code::kVersionConflict);

  auto generation = state.generation();
  CertificateEntry changed = Certificate(3);
  changed.status = CertificateStatus::kRevoked;
  ASSERT_TRUE(state.Apply(EncodeDelta({5, 6, {changed, RemoveThing{"thing1"}, PolicyEntry{0, "p0", "new"},
                                              RemovePolicy{2}}})).ok());
  EXPECT_GT(state.generation(), generation);
  EXPECT_EQ(state.FindCertificate(Print(3))->status, CertificateStatus::kRevoked);
  EXPECT_EQ(state.FindCertificate(Print(4)), Certificate(4));
  EXPECT_FALSE(state.FindThing("thing1"));
  policies.clear();
  EXPECT_FALSE(state.AppendPolicies(0, policies)) << "policy 2 is gone";
  EXPECT_EQ(policies[0].body, "new");
  EXPECT_FALSE(state.AppendPolicies(9, policies));

  auto older = state.Load(*base, base);
  ASSERT_FALSE(older.ok());
  EXPECT_EQ(older.error().code(), Code::kVersionConflict);
}

TEST(Journal, GoesOnFromTheBaseUpToAGapOrADamage) {
  auto base = std::make_shared<std::string>(BuildSmall());  // version 5
  auto removal = [](std::uint64_t from, const char* thing) { return EncodeDelta({from, from + 1, {RemoveThing{thing}}}); };
  std::string journal;
  for (const std::string& delta : {removal(3, "thing3"), removal(4, "thing4"), removal(5, "thing1")}) {
    AppendJournalRecord(delta, journal);
  }
  std::size_t whole = journal.size();
  AppendJournalRecord(removal(6, "thing2"), journal);
  auto version_of = [&](std::string_view bytes) {
    SnapshotState state;
    EXPECT_TRUE(state.Load(*base, base).ok());
    ApplyJournal(bytes, state);
    EXPECT_TRUE(state.FindThing("thing3") && state.FindThing("thing4")) << "the base has what was before it";
    EXPECT_EQ(!state.FindThing("thing1"), state.version() > 5);
    EXPECT_EQ(!state.FindThing("thing2"), state.version() > 6);
    return state.version();
  };
  EXPECT_EQ(version_of(""), 5u);
  EXPECT_EQ(version_of(journal), 7u);
  for (std::size_t size = whole; size < journal.size(); ++size) EXPECT_EQ(version_of(journal.substr(0, size)), 6u);
  for (std::size_t i = whole; i < journal.size(); ++i) {
    std::string damaged = journal;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x41);
    EXPECT_EQ(version_of(damaged), 6u) << i;
  }
  std::string gap = journal.substr(0, whole);
  AppendJournalRecord(removal(7, "thing2"), gap);
  EXPECT_EQ(version_of(gap), 6u);
  EXPECT_EQ(version_of(std::string("\xff\xff\xff\xff", 4) + journal), 5u);
}

}  // namespace
}  // namespace fleetward::policy
