// A registry over the memory store, for unit tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fleetward/registry/directory.h"
#include "fleetward/registry/provision.h"
#include "fleetward/registry/registry.h"
#include "fleetward/store/memory_store.h"

namespace fleetward::registry {

inline constexpr const char* kAccount = "123456789012";
inline constexpr const char* kRegion = "us-east-1";

struct TestRegistry : ::testing::Test {
  class Recorder final : public ChangeListener {
   public:
    void OnChanges(std::span<const Change> changes) override { seen.insert(seen.end(), changes.begin(), changes.end()); }
    std::vector<Change> seen;
  };
  class CountingEnforcement final : public Enforcement {
   public:
    void Settle() override { ++settled; }
    bool Await(std::chrono::milliseconds) override { return served; }
    bool served = true;
    int settled = 0;
  };

  ManualClock clock{FromMillis(1'790'000'000'000)};
  std::unique_ptr<store::MemoryDatabase> database = store::MemoryDatabase::Create(clock);
  std::unique_ptr<store::ControlStore> control = database->Account(model::AccountId(kAccount));
  crypto::CertificateAuthority ca = std::move(crypto::CertificateAuthority::Create(clock.Now())).value();
  crypto::KeyGenerator keys{{.max_waiting = 4, .ready_keys = 0}};
  Directory directory{model::AccountId(kAccount)};
  Recorder recorder;
  ChangeHub hub;
  CountingEnforcement enforcement;
  Quotas quotas;
  model::Arns arns{kRegion, model::AccountId(kAccount)};
  std::unique_ptr<Registry> registry;

  void SetUp() override {
    hub.Add(directory);
    hub.Add(recorder);
    registry = std::make_unique<Registry>(Context{*control, clock, arns, quotas, hub, enforcement}, ca, keys);
  }

  Thing MakeThing(const std::string& name, Attributes attributes = {}) {
    auto thing = registry->things.Create("test", {model::ThingName(name), {}, {}, std::move(attributes)});
    EXPECT_TRUE(thing.ok()) << thing.error().ToString();
    return *thing;
  }
  void MakeGroup(const std::string& name, const std::string& parent = {}) {
    auto group = registry->thing_groups.Create("test", {model::ThingGroupName(name), parent, {}, {}, {}});
    ASSERT_TRUE(group.ok()) << group.error().ToString();
  }
  Status Join(const std::string& group, const std::string& thing) {
    return registry->thing_groups.AddThing("test", model::ThingGroupName(group), model::ThingName(thing));
  }
  Certificate MakeCertificate(bool active = true) {
    auto key = std::move(crypto::PrivateKey::GenerateP256()).value();
    auto csr = std::move(crypto::CertificateRequest::MakePem(key, "device")).value();
    auto issued = registry->certificates.CreateFromCsr("test", csr, active);
    EXPECT_TRUE(issued.ok()) << issued.error().ToString();
    return issued->certificate;
  }
  std::string ArnOf(const Certificate& certificate) { return arns.Certificate(certificate.id.value()); }
  /// Lets a client connect under `client`.
  static std::string Document(const std::string& client = "*") {
    return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":")" +
           std::string("arn:aws:iot:us-east-1:123456789012:client/") + client +
           R"("}]})";
  }
};

#define EXPECT_CODE(expression, expected)               \
  do {                                                  \
    auto expect_code_result = (expression);             \
    ASSERT_FALSE(expect_code_result.ok());              \
    EXPECT_EQ(expect_code_result.error().code(), expected) << expect_code_result.error().ToString(); \
  } while (false)
#define EXPECT_OK(expression)                                                              \
  do {                                                                                     \
    auto expect_ok_result = (expression);                                                  \
    EXPECT_TRUE(expect_ok_result.ok()) << expect_ok_result.error().ToString();             \
  } while (false)

}  // namespace fleetward::registry
