#include <gtest/gtest.h>

#include <chrono>

#include "fleetward/access/authenticator.h"
#include "fleetward/access/key_store.h"
#include "fleetward/store/memory_store.h"
#include "rate_limiter.h"

namespace fleetward::access {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;
const Timestamp kStart = FromMillis(1'700'000'000'000);

class AccessTest : public testing::Test {
 protected:
  AccessTest() { Reopen(); }
  void Reopen() {
    Result<std::unique_ptr<KeyStore>> opened = KeyStore::Open(*store_, crypto::SecretBox(std::string(32, 'k')), clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().ToString();
    keys_ = std::move(opened).value();
  }

  /// Signs and authenticates GET /things; `secret` empty uses the key's own.
  std::variant<Authenticated, AuthFailure> Call(const NewAccessKey& key, AuthenticatorOptions options = {},
                                                const std::string& region = "us-east-1", Headers extra = {}) {
    Headers headers = {{"Host", "127.0.0.1:8443"}};
    headers.insert(headers.end(), extra.begin(), extra.end());
    crypto::HttpCall call{"GET", "/things", headers, ""};
    Headers added = crypto::SignCall(call, {key.id, key.secret, region, "iot"}, clock_.Now());
    headers.insert(headers.end(), added.begin(), added.end());
    call.headers = headers;
    return Authenticator(*keys_, clock_, options).Authenticate(call);
  }
  static AuthFault FaultOf(const std::variant<Authenticated, AuthFailure>& verdict) {
    return std::get<AuthFailure>(verdict).fault;
  }

  ManualClock clock_{kStart};
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> store_ = database_->Account(model::AccountId("123456789012"));
  std::unique_ptr<KeyStore> keys_;
};

TEST_F(AccessTest, TheFirstKeyIsMadeOnceAndSurvives) {
  std::optional<NewAccessKey> first = keys_->CreateFirst().value();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->id.size(), 20u);
  EXPECT_EQ(first->secret.size(), 40u);
  EXPECT_FALSE(keys_->CreateFirst().value());
  Reopen();
  EXPECT_FALSE(keys_->CreateFirst().value());
  auto verdict = Call(*first);
  ASSERT_TRUE(std::holds_alternative<Authenticated>(verdict));
  EXPECT_EQ(std::get<Authenticated>(verdict).principal.role, Role::kAdmin);
  EXPECT_EQ(std::get<Authenticated>(verdict).service, "iot");
}

TEST_F(AccessTest, SecretsAreSealedAtRest) {
  NewAccessKey key = keys_->Create(Role::kViewer, "ci", "AKFW").value();
  ASSERT_TRUE(store_->Read([&](const store::Reader& reader) -> Status {
    return reader.Scan({"access_keys"}, {}, {}, [&](std::string_view, std::string_view value) {
      EXPECT_EQ(value.find(key.secret), std::string_view::npos);
      return true;
    });
  }).ok());
  EXPECT_EQ(KeyStore::Open(*store_, crypto::SecretBox(std::string(32, 'x')), clock_).error().code(), Code::kCorrupt);
}

// threats.md v: a replay after the key was disabled.
TEST_F(AccessTest, ADisabledKeyIsRefusedAtOnce) {
  NewAccessKey key = keys_->Create(Role::kOperator, "", "test").value();
  EXPECT_TRUE(std::holds_alternative<Authenticated>(Call(key)));
  ASSERT_TRUE(keys_->SetActive(key.id, false, "test").ok());
  EXPECT_EQ(FaultOf(Call(key)), AuthFault::kUnknownKey);
  Reopen();
  EXPECT_EQ(FaultOf(Call(key)), AuthFault::kUnknownKey);
  ASSERT_TRUE(keys_->SetActive(key.id, true, "test").ok());
  EXPECT_TRUE(std::holds_alternative<Authenticated>(Call(key)));
  ASSERT_TRUE(keys_->Delete(key.id, "test").ok());
  EXPECT_EQ(FaultOf(Call(key)), AuthFault::kUnknownKey);
  EXPECT_EQ(keys_->SetActive(key.id, true, "test").error().code(), Code::kNotFound);
}

TEST_F(AccessTest, WrongSecretRegionAndTimeAreInvalidSignatures) {
  NewAccessKey key = keys_->Create(Role::kViewer, "", "test").value();
  EXPECT_EQ(FaultOf(Call({key.id, "wrong"})), AuthFault::kInvalidSignature);
  EXPECT_EQ(FaultOf(Call(key, {}, "eu-west-1")), AuthFault::kInvalidSignature);
  EXPECT_TRUE(std::holds_alternative<Authenticated>(Call(key, {.region = "*"}, "eu-west-1")));
  EXPECT_EQ(FaultOf(Call({"AKFWUNKNOWN", "wrong"})), AuthFault::kUnknownKey);
}

TEST_F(AccessTest, MissingSessionTokenAndCookie) {
  Headers headers = {{"Host", "h"}};
  Authenticator authenticator(*keys_, clock_, {});
  EXPECT_EQ(FaultOf(authenticator.Authenticate({"GET", "/", headers, ""})), AuthFault::kMissingToken);
  NewAccessKey key = keys_->Create(Role::kViewer, "", "test").value();
  // threats.md v: cookie and SigV4 in one request.
  EXPECT_EQ(FaultOf(Call(key, {}, "us-east-1", {{"Cookie", "session=1"}})), AuthFault::kIncomplete);
  EXPECT_EQ(FaultOf(Call(key, {}, "us-east-1", {{"X-Amz-Security-Token", "t"}})), AuthFault::kUnknownKey);
}

TEST_F(AccessTest, LastUseIsKeptToTheMinute) {
  NewAccessKey key = keys_->Create(Role::kViewer, "laptop", "test").value();
  EXPECT_FALSE(keys_->List().value().at(0).last_used);
  Call(key);
  clock_.Advance(std::chrono::seconds(30));
  Call(key);
  AccessKey shown = keys_->List().value().at(0);
  EXPECT_EQ(shown.last_used, kStart);
  EXPECT_EQ(shown.description, "laptop");
  clock_.Advance(std::chrono::seconds(31));
  Call(key);
  EXPECT_EQ(keys_->List().value().at(0).last_used, kStart + std::chrono::seconds(61));
}

TEST_F(AccessTest, ScopesAndExpiryAreKept) {
  NewAccessKey key = keys_->Create({Role::kOperator, "night shift", {"plant-1", "plant-2"}, kStart + std::chrono::hours(1)}, "test").value();
  for (int i = 0; i < 2; ++i) {
    auto verdict = Call(key);
    ASSERT_TRUE(std::holds_alternative<Authenticated>(verdict));
    const Principal& who = std::get<Authenticated>(verdict).principal;
    ASSERT_TRUE(who.scope);
    EXPECT_EQ(who.scope->thing_groups, (std::vector<std::string>{"plant-1", "plant-2"}));
    Reopen();
  }
  EXPECT_EQ(keys_->List()->at(0).scope.size(), 2u);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(FaultOf(Call(key)), AuthFault::kUnknownKey);
  EXPECT_FALSE(keys_->Create({Role::kAdmin, "", {"plant-1"}, {}}, "test").ok());
  EXPECT_FALSE(keys_->Create({Role::kViewer, "", {""}, {}}, "test").ok());
  EXPECT_FALSE(keys_->Create({Role::kViewer, "", {}, kStart}, "test").ok());
  EXPECT_FALSE(keys_->Create({Role::kViewer, std::string(300, 'x'), {}, {}}, "test").ok());
}

TEST_F(AccessTest, RotationLeavesTheOldKeyForItsGrace) {
  NewAccessKey old = keys_->Create({Role::kOperator, "ci", {"plant-1"}, {}}, "test").value();
  NewAccessKey fresh = keys_->Rotate(old.id, std::chrono::hours(2), "test").value();
  EXPECT_NE(fresh.id, old.id);
  Reopen();
  for (const NewAccessKey& key : {old, fresh}) EXPECT_TRUE(std::holds_alternative<Authenticated>(Call(key)));
  clock_.Advance(std::chrono::hours(2));
  EXPECT_EQ(FaultOf(Call(old)), AuthFault::kUnknownKey);
  auto verdict = Call(fresh);
  ASSERT_TRUE(std::holds_alternative<Authenticated>(verdict));
  EXPECT_EQ(std::get<Authenticated>(verdict).principal.role, Role::kOperator);
  EXPECT_TRUE(std::get<Authenticated>(verdict).principal.scope);
  EXPECT_EQ(keys_->Rotate(old.id, Millis(0), "test").error().code(), Code::kInvalidState);
  EXPECT_EQ(keys_->Rotate("AKFWNONE", Millis(0), "test").error().code(), Code::kNotFound);
}

TEST_F(AccessTest, TheLastAdminKeyStays) {
  std::string first = keys_->CreateFirst().value()->id;
  EXPECT_EQ(keys_->Delete(first, "test").error().code(), Code::kConflict);
  EXPECT_EQ(keys_->SetActive(first, false, "test").error().code(), Code::kConflict);
  ASSERT_TRUE(keys_->Create({Role::kAdmin, "", {}, kStart + std::chrono::hours(1)}, "test").ok());
  EXPECT_EQ(keys_->Delete(first, "test").error().code(), Code::kConflict) << "the other one ends";
  NewAccessKey next = keys_->Rotate(first, Millis(0), "test").value();
  EXPECT_TRUE(keys_->Delete(first, "test").ok());
  EXPECT_FALSE(keys_->Delete(next.id, "test").ok());
}

TEST(RateLimiter, SavesUpAtMostOneSecond) {
  RateLimiter limiter(2);
  EXPECT_TRUE(limiter.Take("a", 0));
  EXPECT_TRUE(limiter.Take("a", 0));
  EXPECT_FALSE(limiter.Take("a", 0));
  EXPECT_TRUE(limiter.Take("b", 0));
  EXPECT_TRUE(limiter.Take("a", 500));
  EXPECT_FALSE(limiter.Take("a", 500));
  EXPECT_TRUE(limiter.Take("a", 60'000));
  EXPECT_TRUE(limiter.Take("a", 60'000));
  EXPECT_FALSE(limiter.Take("a", 60'000));
}

TEST_F(AccessTest, CallsBeyondTheRateAreThrottled) {
  NewAccessKey key = keys_->Create(Role::kViewer, "", "test").value();
  Headers headers = {{"Host", "h"}};
  crypto::HttpCall call{"GET", "/", headers, ""};
  Headers added = crypto::SignCall(call, {key.id, key.secret, "us-east-1", "iot"}, clock_.Now());
  headers.insert(headers.end(), added.begin(), added.end());
  call.headers = headers;
  Authenticator authenticator(*keys_, clock_, {.calls_per_second = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::holds_alternative<Authenticated>(authenticator.Authenticate(call)));
  EXPECT_EQ(FaultOf(authenticator.Authenticate(call)), AuthFault::kThrottled);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(std::holds_alternative<Authenticated>(authenticator.Authenticate(call)));
}

TEST(Role, NamesRoundTrip) {
  for (Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) EXPECT_EQ(ParseRole(RoleName(role)), role);
  EXPECT_FALSE(ParseRole("root"));
}

}  // namespace
}  // namespace fleetward::access
