#include "fleetward/notify/topics.h"

#include <gtest/gtest.h>

#include "fleetward/store/memory_store.h"

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
    auto due = outbox_.Due(100).value();
    const std::string& body = due.back().body;
    std::size_t at = body.find("&Token=") + 7;
    return body.substr(at, body.find('\n', at) - at);
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
  EXPECT_FALSE(topics_.Confirm(arn_, "0000", false).ok());
  auto confirmed = topics_.Confirm(arn_, token, false).value();
  EXPECT_TRUE(topics_.Confirm(arn_, token, false).ok());
  EXPECT_EQ(topics_.SubscriptionArn(confirmed), arn_ + ':' + s.id.Uuid());
  clock_.Advance(Millis(1));
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 2}, {"", "{\"x\":1}", {}}).ok());
  ASSERT_TRUE(topics_.Publish(arn_, Id128{1, 2}, {"", "{\"x\":1}", {}}).ok());
  auto due = outbox_.Due(10).value();
  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[1].body, "{\"x\":1}");
}

TEST_F(TopicsTest, TokensAgeAndPendingEndpointsVanish) {
  topics_.Subscribe("k", arn_, "email", "a@example.com", {}).value();
  std::string token = TokenOfLastMail();
  clock_.Advance(std::chrono::hours(49));
  EXPECT_FALSE(topics_.Confirm(arn_, token, false).ok());
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
  topics_.Confirm(arn_, TokenOfLastMail(), true).value();
  std::string subscription = topics_.SubscriptionArn(s);
  EXPECT_EQ(topics_.Unsubscribe("-", subscription, false).error().code(), Code::kPermissionDenied);
  EXPECT_TRUE(topics_.Unsubscribe("k", subscription, true).ok());
  EXPECT_TRUE(topics_.Unsubscribe("k", subscription, true).ok());
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

}  // namespace
}  // namespace fleetward::notify
