#include "fleetward/notify/topics.h"

#include <gtest/gtest.h>

#include "fleetward/store/memory_store.h"
#include "testing/counting_store.h"

namespace fleetward::notify {
namespace {

class TopicsTest : public testing::Test {
 protected:
  TopicSettings Settings() {
    TopicSettings s;
    s.account = "123456789012";
    s.region = "us-east-1";
    s.public_url = "https://api.example:8443";
    return s;
  }
  std::string TokenOfLastMail() {
    auto due = outbox_.Queued(100).value();
    const std::string& body = due.back().body;
    std::size_t at = body.find("&Token=") + 7;
    return body.substr(at, body.find('\n', at) - at);
  }
  std::string UnsubscribeToken() {
    auto due = outbox_.Queued(100).value();
    return due.back().url.substr(due.back().url.find("&Token=") + 7);
  }
  std::string Confirmed(const std::string& protocol, const std::string& endpoint, const Attributes& attributes = {}) {
    clock_.Advance(Millis(1));
    auto s = topics_.Subscribe("k", arn_, protocol, endpoint, attributes).value();
    EXPECT_TRUE(topics_.Confirm(arn_, outbox_.Queued(1000)->back().token, false, false).ok());
    return topics_.SubscriptionArn(s);
  }
  std::vector<std::string> Got(const Id128& id) {
    std::vector<std::string> endpoints;
    const auto queued = outbox_.Queued(1000).value();
    for (const Delivery& d : queued) {
      if (d.message_id == id) endpoints.push_back(d.endpoint);
    }
    return endpoints;
  }

  ManualClock clock_{FromMillis(1'700'000'000'000)};
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> store_ = database_->Account(model::AccountId("123456789012"));
  Outbox outbox_{*store_, clock_};
  TopicService topics_{*store_, outbox_, clock_, Settings()};
  std::string arn_ = topics_.CreateTopic("k", "Alerts", {}, {}).value();
};

TEST_F(TopicsTest, CreateIsIdempotentAndNamesAreChecked) {
  EXPECT_EQ(arn_, "arn:aws:sns:us-east-1:123456789012:Alerts");
  EXPECT_EQ(topics_.CreateTopic("k", "Alerts", {}, {}).value(), arn_);
  EXPECT_FALSE(topics_.CreateTopic("k", "Alerts", {{"DisplayName", "x"}}, {}).ok());
  for (const char* bad : {"", "a b", "a.fifo", "a/b"}) EXPECT_FALSE(topics_.CreateTopic("k", bad, {}, {}).ok()) << bad;
  EXPECT_FALSE(topics_.CreateTopic("k", "D", {{"DisplayName", "a\r\nBcc: x"}}, {}).ok());
  EXPECT_EQ(topics_.GetTopic("arn:aws:sns:us-east-1:123456789012:None").error().code(), Code::kNotFound);
  EXPECT_EQ(topics_.GetTopic("arn:aws:sns:us-east-1:999999999999:Alerts").error().code(), Code::kNotFound);
}

TEST_F(TopicsTest, OnlyConfirmedEndpointsGetMessages) {
  auto s = topics_.Subscribe("k", arn_, "email", "a@example.com", {}).value();
  EXPECT_FALSE(s.confirmed);
  std::string token = TokenOfLastMail();
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 1}, {"", "early", {}}).ok());
  EXPECT_EQ(outbox_.Counts()->pending, 1U);  // the confirmation alone
  EXPECT_FALSE(topics_.Confirm(arn_, "0000", false, false).ok());
  auto confirmed = topics_.Confirm(arn_, token, false, false).value();
  EXPECT_TRUE(topics_.Confirm(arn_, token, false, false).ok());
  EXPECT_EQ(topics_.SubscriptionArn(confirmed), arn_ + ':' + s.id.Uuid());
  clock_.Advance(Millis(1));
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 2}, {"", "{\"x\":1}", {}}).ok());
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 2}, {"", "{\"x\":1}", {}}).ok());
  auto due = outbox_.Queued(10).value();
  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[1].body, "{\"x\":1}");
}

TEST_F(TopicsTest, TokensAgeAndPendingEndpointsVanish) {
  topics_.Subscribe("k", arn_, "email", "a@example.com", {}).value();
  std::string token = TokenOfLastMail();
  clock_.Advance(std::chrono::hours(49));
  EXPECT_FALSE(topics_.Confirm(arn_, token, false, false).ok());
  clock_.Advance(std::chrono::hours(25));
  ASSERT_TRUE(topics_.ExpirePending().ok());
  EXPECT_TRUE(topics_.ListSubscriptions(arn_, "", 10)->items.empty());
}

TEST_F(TopicsTest, ConfirmationMailsAreLimitedPerAddress) {  // threats.md t
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(topics_.Subscribe("k", arn_, "email", "victim@example.com", {}).ok());
  EXPECT_EQ(topics_.Subscribe("k", arn_, "email", "victim@example.com", {}).error().code(), Code::kThrottled);
  EXPECT_TRUE(topics_.Subscribe("k", arn_, "email", "other@example.com", {}).ok());
  clock_.Advance(std::chrono::minutes(61));
  EXPECT_TRUE(topics_.Subscribe("k", arn_, "email", "victim@example.com", {}).ok());
}

TEST_F(TopicsTest, UnsubscribeHonoursProtection) {
  auto s = topics_.Subscribe("k", arn_, "email", "a@example.com", {}).value();
  topics_.Confirm(arn_, TokenOfLastMail(), true, true).value();
  std::string subscription = topics_.SubscriptionArn(s);
  clock_.Advance(Millis(1));
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 1}, {"", "text", {}}).ok());
  EXPECT_EQ(topics_.Unsubscribe("-", subscription, {}).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(topics_.Unsubscribe("-", subscription, {false, UnsubscribeToken(), true}).error().code(),
            Code::kPermissionDenied);
  EXPECT_TRUE(topics_.Unsubscribe("k", subscription, {.is_signed = true, .token = {}}).ok());
  EXPECT_TRUE(topics_.Unsubscribe("k", subscription, {.is_signed = true, .token = {}}).ok());
  EXPECT_EQ(topics_.GetSubscription(subscription).error().code(), Code::kNotFound);
}

TEST_F(TopicsTest, EndpointsSubjectsAndProtocolsAreChecked) {
  EXPECT_FALSE(topics_.Subscribe("k", arn_, "email", "a@b\r\nX: y", {}).ok());
  EXPECT_FALSE(topics_.Subscribe("k", arn_, "sms", "+123", {}).ok());
  EXPECT_FALSE(topics_.Publish(arn_, Id128{1, 1}, {"a\nb", "text", {}}).ok());
  EXPECT_FALSE(topics_.Publish(arn_, Id128{1, 1}, {"", "", {}}).ok());
  EXPECT_FALSE(topics_.Publish(arn_, Id128{1, 1}, {"", std::string(300000, 'x'), {}}).ok());
}

TEST_F(TopicsTest, PagesWalkEverySubscriptionOnce) {
  for (int i = 0; i < 25; ++i) {
    ASSERT_TRUE(topics_.Subscribe("k" + std::to_string(i), arn_, "email", "a" + std::to_string(i) + "@b", {}).ok());
  }
  std::size_t seen = 0;
  std::string from;
  for (;;) {
    auto page = topics_.ListSubscriptions(arn_, from, 10).value();
    seen += page.items.size();
    if (!page.next) break;
    from = *page.next;
  }
  EXPECT_EQ(seen, 25U);
  ASSERT_TRUE(topics_.DeleteTopic("k", arn_).ok());
  EXPECT_TRUE(topics_.ListSubscriptions("", "", 100)->items.empty());
}

// threats.md o: a forwarded mail's link.
TEST_F(TopicsTest, ThreatOALinkNeedsItsTokenAndASecondStepAndOthersLearnOfIt) {
  std::string other = Confirmed("email", "other@example.com");
  std::string mine = Confirmed("email", "a@example.com");
  clock_.Advance(Millis(1));
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 1}, {"", "text", {}}).ok());
  std::string token;
  const auto before = outbox_.Queued(100).value();
  for (const Delivery& d : before) {
    if (d.message_id == Id128{1, 1} && d.endpoint == "a@example.com") token = d.url.substr(d.url.find("&Token=") + 7);
  }
  EXPECT_EQ(topics_.Unsubscribe("-", mine, {}).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(topics_.Unsubscribe("-", other, {false, token, true}).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(topics_.Unsubscribe("-", mine, {false, token, false}).value(), UnsubscribeOutcome::kAsk);
  EXPECT_TRUE(topics_.GetSubscription(mine).ok());
  clock_.Advance(Millis(1));
  EXPECT_EQ(topics_.Unsubscribe("-", mine, {false, token, true}).value(), UnsubscribeOutcome::kEnded);
  EXPECT_FALSE(topics_.GetSubscription(mine).ok());
  auto queued = outbox_.Queued(100).value();
  std::map<std::string, std::string> last;
  for (const Delivery& d : queued) last[d.endpoint] = d.kind;
  EXPECT_EQ(last["other@example.com"], "notice");
  EXPECT_EQ(last["a@example.com"], "unsubscribe-confirmation");
  EXPECT_EQ(topics_.ViewTopic(arn_)->deleted, 1);
  std::string restore;
  for (const Delivery& d : queued) {
    if (d.kind == "unsubscribe-confirmation") restore = d.token;
  }
  EXPECT_EQ(topics_.SubscriptionArn(topics_.Confirm(arn_, restore, false, false).value()), mine);
  EXPECT_EQ(topics_.ViewTopic(arn_)->confirmed, 2);
  EXPECT_EQ(topics_.ViewTopic(arn_)->deleted, 0);
}

TEST_F(TopicsTest, HttpEndpointsGetAnUnsubscribeConfirmation) {
  std::string mine = Confirmed("https", "https://hook.example/x", {{"RawMessageDelivery", "true"}});
  clock_.Advance(Millis(1));
  ASSERT_TRUE(topics_.Unsubscribe("k", mine, {.is_signed = true, .token = {}}).ok());
  auto last = outbox_.Queued(100)->back();
  EXPECT_EQ(last.kind, "unsubscribe-confirmation");
  EXPECT_EQ(last.subscription_arn, mine);
  clock_.Advance(std::chrono::hours(49));
  EXPECT_FALSE(topics_.Confirm(arn_, last.token, false, false).ok());
  clock_.Advance(std::chrono::hours(30));
  ASSERT_TRUE(topics_.ExpirePending().ok());
}

TEST_F(TopicsTest, PendingSubscriptionsCannotBeEnded) {
  auto s = topics_.Subscribe("k", arn_, "email", "a@example.com", {}).value();
  EXPECT_EQ(topics_.Unsubscribe("k", topics_.SubscriptionArn(s), {.is_signed = true, .token = {}}).error().code(),
            Code::kInvalidArgument);
}

// threats.md p, as far as an endpoint's text tells.
TEST_F(TopicsTest, ThreatPEndpointsThatAreNotSubscribed) {
  for (const char* bad : {"http://127.0.0.1/", "http://localhost:8443/", "http://169.254.169.254/", "http://[::1]/",
                          "http://u:p@example.com/", "https://example.com/", "ftp://example.com/", "", "http://2130706433/"}) {
    auto s = topics_.Subscribe("k", arn_, "http", bad, {});
    ASSERT_FALSE(s.ok()) << bad;
    EXPECT_EQ(s.error().code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_TRUE(topics_.Subscribe("k", arn_, "http", "http://example.com/", {}).ok());
}

TEST_F(TopicsTest, FiltersChooseWhoGetsWhat) {
  Confirmed("email", "all@example.com");
  Confirmed("email", "red@example.com", {{"FilterPolicy", R"({"colour":["red"]})"}});
  std::string body = Confirmed("email", "alarm@example.com",
                               {{"FilterPolicy", R"({"event":{"type":["in-alarm"]}})"}, {"FilterPolicyScope", "MessageBody"}});
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 1}, {.subject = {}, .body = R"({"event":{"type":"in-alarm"}})",
                                                  .per_protocol = {}, .attributes = {{"colour", {"String", "blue"}}}}).ok());
  EXPECT_EQ(Got(Id128{1, 1}).size(), 2U);
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 2}, {.subject = {}, .body = "text", .per_protocol = {},
                                                  .attributes = {{"colour", {"String", "red"}}}}).ok());
  EXPECT_EQ(Got(Id128{1, 2}).size(), 2U);
  EXPECT_FALSE(topics_.SetSubscriptionAttribute("k", body, "FilterPolicyScope", "MessageAttributes").ok());
  ASSERT_TRUE(topics_.SetSubscriptionAttribute("k", body, "FilterPolicy", "{}").ok());
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 3}, {"", "text", {}}).ok());
  EXPECT_EQ(Got(Id128{1, 3}).size(), 2U);
}

TEST_F(TopicsTest, CountsFollowEveryChange) {
  Confirmed("email", "a@example.com");
  topics_.Subscribe("k", arn_, "email", "b@example.com", {}).value();
  topics_.Subscribe("k", arn_, "email", "b@example.com", {}).value();
  EXPECT_EQ(topics_.ViewTopic(arn_)->confirmed, 1);
  EXPECT_EQ(topics_.ViewTopic(arn_)->pending, 1);
  clock_.Advance(std::chrono::hours(80));
  ASSERT_TRUE(topics_.ExpirePending().ok());
  EXPECT_EQ(topics_.ViewTopic(arn_)->pending, 0);
  EXPECT_EQ(topics_.ViewTopic(arn_)->confirmed, 1);
}

TEST_F(TopicsTest, TopicsAreCountedNotWalked) {
  TopicSettings settings = Settings();
  settings.max_topics = 60;
  CountingStore counting(*store_);
  TopicService topics{counting, outbox_, clock_, settings};
  auto create = [&](int i) { return topics.CreateTopic("k", "t" + std::to_string(i), {}, {}); };
  for (int i = 0; i < 59; ++i) ASSERT_TRUE(create(i).ok());  // and Alerts
  counting.seen = 0;
  EXPECT_EQ(create(59).error().code(), Code::kLimitExceeded);
  EXPECT_TRUE(create(58).ok());  // it is there
  ASSERT_TRUE(topics.DeleteTopic("k", topics.TopicArn("t0")).ok());
  ASSERT_TRUE(topics.DeleteTopic("k", topics.TopicArn("t0")).ok());
  EXPECT_TRUE(create(59).ok());
  EXPECT_EQ(create(60).error().code(), Code::kLimitExceeded);
  EXPECT_EQ(counting.seen, 0U) << "no topic was looked at for being counted";
  // Those of an older release are counted once.
  ASSERT_TRUE(store_->Write([](store::Transaction& tx) { return tx.Erase({"sns_totals"}, "topics"); }).ok());
  EXPECT_EQ(create(60).error().code(), Code::kLimitExceeded);
  ASSERT_TRUE(topics.DeleteTopic("k", topics.TopicArn("t1")).ok());
  counting.seen = 0;
  EXPECT_TRUE(create(60).ok());
  EXPECT_EQ(counting.seen, 0U);
}

TEST_F(TopicsTest, ExpiryCostsWhatItRemoves) {
  CountingStore counting(*store_);
  TopicService topics{counting, outbox_, clock_, Settings()};
  auto subscribe = [&](int from, int until) {
    for (int i = from; i < until; ++i) {
      std::string who = std::to_string(i);
      ASSERT_TRUE(topics.Subscribe("k" + who, arn_, "email", "a" + who + "@b", {}).ok());
    }
  };
  for (int i = 0; i < 50; ++i) Confirmed("email", "stays" + std::to_string(i) + "@b");
  subscribe(0, 300);
  clock_.Advance(std::chrono::hours(71));
  subscribe(0, 1);  // asked again: its three days begin anew
  subscribe(300, 307);
  counting.seen = counting.most_written = 0;
  ASSERT_TRUE(topics.ExpirePending().ok());
  EXPECT_LE(counting.most_written, 500U) << "what an older release would have left, once";
  counting.seen = counting.most_written = 0;
  ASSERT_TRUE(topics.ExpirePending().ok());
  EXPECT_EQ(counting.seen, 0U) << "nothing is due";
  EXPECT_EQ(counting.most_written, 0U);
  clock_.Advance(std::chrono::hours(2));
  ASSERT_TRUE(topics.ExpirePending().ok());
  EXPECT_EQ(counting.seen, 350U) << "a row each of those that began to wait, and of no others";
  EXPECT_LE(counting.most_written, 800U) << "in several transactions";
  EXPECT_EQ(topics.ViewTopic(arn_)->pending, 8);
  EXPECT_EQ(topics.ViewTopic(arn_)->confirmed, 50);
  EXPECT_EQ(topics.ListSubscriptions(arn_, "", 1000)->items.size(), 58U);
  clock_.Advance(std::chrono::hours(71));
  ASSERT_TRUE(topics.ExpirePending().ok());
  EXPECT_EQ(topics.ViewTopic(arn_)->pending, 0);
}

TEST_F(TopicsTest, WhatAnOlderReleaseLeftVanishesInItsTime) {
  Confirmed("email", "stays@b");
  std::string ended = Confirmed("email", "ended@b");
  clock_.Advance(Millis(1));
  ASSERT_TRUE(topics_.Unsubscribe("k", ended, {.is_signed = true, .token = {}}).ok());
  topics_.Subscribe("k", arn_, "email", "pending@b", {}).value();
  auto rows = [&](const char* table) {
    std::vector<std::string> keys;
    EXPECT_TRUE(store_->Read([&](const store::Reader& reader) {
      return reader.Scan({table}, "", "", [&](std::string_view key, std::string_view) {
        keys.emplace_back(key);
        return true;
      });
    }).ok());
    return keys;
  };
  const auto aging = rows("sns_aging_subscriptions");
  EXPECT_EQ(aging.size(), 4U);
  ASSERT_TRUE(store_->Write([&](store::Transaction& tx) -> Status {
    for (const auto& key : aging) FW_TRY(tx.Erase({"sns_aging_subscriptions"}, key));
    return {};
  }).ok());
  ASSERT_TRUE(topics_.ExpirePending().ok());
  EXPECT_EQ(rows("sns_ended_subscriptions").size(), 1U);
  EXPECT_EQ(topics_.ViewTopic(arn_)->pending, 1);
  clock_.Advance(std::chrono::hours(73));
  ASSERT_TRUE(topics_.ExpirePending().ok());
  EXPECT_TRUE(rows("sns_ended_subscriptions").empty());
  EXPECT_EQ(topics_.ViewTopic(arn_)->pending, 0);
  EXPECT_EQ(topics_.ViewTopic(arn_)->confirmed, 1);
}

TEST_F(TopicsTest, AttributesThatAreNotHonouredAreRefused) {
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"KmsMasterKeyId", "alias/x"}, {"TracingConfig", "Active"}, {"FifoTopic", "true"}, {"SignatureVersion", "3"},
           {"ContentBasedDeduplication", "true"}, {"Policy", "[]"}, {"Policy", "{}"}, {"DeliveryPolicy", "[]"}, {"X", "y"}}) {
    EXPECT_FALSE(topics_.CreateTopic("k", "Other", {{name, value}}, {}).ok()) << name;
  }
  std::string mail = Confirmed("email", "a@example.com");
  std::string hook = Confirmed("http", "http://hook.example/");
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"RawMessageDelivery", "yes"}, {"FilterPolicy", "[]"}, {"FilterPolicyScope", "Both"}, {"DeliveryPolicy", "{\"a\":1}"},
           {"RedrivePolicy", "{}"}, {"SubscriptionRoleArn", "arn"}, {"X", "y"}}) {
    EXPECT_FALSE(topics_.SetSubscriptionAttribute("k", hook, name, value).ok()) << name;
  }
  EXPECT_FALSE(topics_.SetSubscriptionAttribute("k", mail, "RawMessageDelivery", "true").ok());
  EXPECT_FALSE(topics_.SetSubscriptionAttribute("k", mail, "DeliveryPolicy", "{}").ok());
  EXPECT_TRUE(topics_.SetSubscriptionAttribute("k", hook, "RawMessageDelivery", "true").ok());
  EXPECT_TRUE(topics_.SetSubscriptionAttribute("k", hook, "DeliveryPolicy", R"({"healthyRetryPolicy":{"numRetries":0}})").ok());
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 1}, {"", "text", {}}).ok());
  const auto queued = outbox_.Queued(100).value();
  for (const Delivery& d : queued) {
    if (d.kind == "notification" && d.IsHttp()) {
      EXPECT_TRUE(d.raw);
      EXPECT_EQ(d.policy.retries, 0);
    }
  }
}

TEST_F(TopicsTest, MessagesAreChecked) {
  auto publish = [&](const std::string& name, const std::string& type, const std::string& value) {
    return topics_.Publish(arn_, Id128::Random(),
                           {.subject = {}, .body = "x", .per_protocol = {}, .attributes = {{name, {type, value}}}}).ok();
  };
  EXPECT_TRUE(publish("a.b-c_1", "String", "x"));
  EXPECT_TRUE(publish("a", "Number", "-1.5e3"));
  EXPECT_TRUE(publish("a", "String.Array", R"(["a",1,null])"));
  for (const char* name : {"", ".a", "a.", "a..b", "AWS.x", "amazon.x", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(publish(name, "String", "x")) << name;
  }
  for (const auto& [type, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"Number", "x"}, {"Number", "0x10"}, {"Number", "inf"}, {"Number", " 1"}, {"String", ""}, {"string", "x"},
           {"String.Array", "x"}, {"String.Array", "[[1]]"}, {"String.Array", "{}"}, {"String", "\xff"}}) {
    EXPECT_FALSE(publish("a", type, value)) << type << ' ' << value;
  }
}

}  // namespace
}  // namespace fleetward::notify
