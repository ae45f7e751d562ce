#include "fleetward/registry/directory.h"

#include "test_registry.h"

namespace fleetward::registry {
namespace {

using model::ThingName;
struct DirectoryTest : TestRegistry {
  policy::Fingerprint Print(const Certificate& certificate) { return *policy::FingerprintOf(certificate.id.value()); }
};

// Decision 11.
TEST_F(DirectoryTest, ConnectionsCountForTheRightThing) {
  Thing a = MakeThing("a"), b = MakeThing("b");
  auto certificate = MakeCertificate();
  auto resolve = [&](const std::string& client) { return directory.Resolve(client, Print(certificate)); };
  EXPECT_FALSE(resolve("rogue").registered);
  EXPECT_EQ(resolve("rogue").entity, UnregisteredEntity(model::AccountId(kAccount), "rogue"));
  EXPECT_OK(registry->things.AttachPrincipal("t", a.name, ArnOf(certificate)));
  EXPECT_EQ(resolve("rogue").name, a.name);
  EXPECT_EQ(resolve("rogue").entity, a.id);
  EXPECT_EQ(resolve("b").entity, b.id);
  EXPECT_OK(registry->things.AttachPrincipal("t", b.name, ArnOf(certificate)));
  EXPECT_FALSE(resolve("rogue").registered);  // two things: neither
  EXPECT_EQ(directory.FindCertificate(Print(certificate))->things.size(), 2u);
  EXPECT_OK(registry->things.DetachPrincipal("t", a.name, ArnOf(certificate)));
  EXPECT_EQ(resolve("rogue").name, b.name);
  EXPECT_FALSE(directory.IsAttached(Print(certificate), "a"));
  EXPECT_TRUE(directory.IsAttached(Print(certificate), "b"));
}

TEST_F(DirectoryTest, FollowsStatusesAndDeletions) {
  auto certificate = MakeCertificate();
  EXPECT_EQ(directory.FindCertificate(Print(certificate))->status, CertificateStatus::kActive);
  EXPECT_OK(registry->certificates.UpdateStatus("t", certificate.id, CertificateStatus::kRevoked));
  EXPECT_EQ(directory.FindCertificate(Print(certificate))->status, CertificateStatus::kRevoked);
  EXPECT_OK(registry->certificates.Delete("t", certificate.id, false));
  EXPECT_FALSE(directory.FindCertificate(Print(certificate)));
  Thing a = MakeThing("a");
  EXPECT_EQ(directory.Identify("a").entity, a.id);
  EXPECT_OK(registry->things.Delete("t", a.name, std::nullopt));
  EXPECT_FALSE(directory.Identify("a").registered);
  EXPECT_EQ(directory.thing_count(), 0u);
}

TEST_F(DirectoryTest, LoadEqualsWhatChangesBuilt) {
  MakeGroup("g");
  for (int i = 0; i < 300; ++i) MakeThing("t" + std::to_string(i));
  for (int i = 0; i < 300; i += 3) EXPECT_OK(registry->things.Delete("t", ThingName("t" + std::to_string(i)), {}));
  auto certificate = MakeCertificate();
  EXPECT_OK(Join("g", "t1"));
  EXPECT_OK(registry->things.AttachPrincipal("t", ThingName("t1"), ArnOf(certificate)));
  Directory loaded{model::AccountId(kAccount)};
  EXPECT_OK(loaded.Load(*control));
  EXPECT_EQ(loaded.thing_count(), 200u);
  EXPECT_EQ(directory.thing_count(), 200u);
  for (int i = 0; i < 300; ++i) {
    std::string name = "t" + std::to_string(i);
    EXPECT_EQ(loaded.Identify(name).entity, directory.Identify(name).entity);
    EXPECT_EQ(loaded.Identify(name).registered, i % 3 != 0);
  }
  EXPECT_EQ(loaded.Resolve("x", Print(certificate)).name.value(), "t1");
  EXPECT_EQ(loaded.GroupsOf("t1").size(), 1u);
}

TEST_F(DirectoryTest, HundredThousandThingsStaySmall) {
  constexpr int kThings = 100'000;
  for (int i = 0; i < kThings; ++i) {
    Thing thing;
    thing.name = ThingName("device-" + std::to_string(i));
    thing.id = Id128{1, static_cast<std::uint64_t>(i)};
    Change change = ThingChanged{thing.name, std::nullopt, thing};
    directory.OnChanges({&change, 1});
  }
  EXPECT_EQ(directory.thing_count(), static_cast<std::size_t>(kThings));
  EXPECT_LT(directory.MemoryBytes() / kThings, 100u);
  EXPECT_EQ(directory.Identify("device-77777").entity, (Id128{1, 77777}));
}

}  // namespace
}  // namespace fleetward::registry
