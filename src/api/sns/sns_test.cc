// The sns operations through the router, with calls as clients and browsers send them.
#include <gtest/gtest.h>

#include "fleetward/access/authenticator.h"
#include "fleetward/access/key_store.h"
#include "fleetward/api/handlers/sns.h"
#include "fleetward/store/memory_store.h"

namespace fleetward::api {
namespace {

struct SnsApiTest : ::testing::Test {
  ManualClock clock{FromMillis(1'790'000'000'000)};
  std::unique_ptr<store::MemoryDatabase> database = store::MemoryDatabase::Create(clock);
  std::unique_ptr<store::ControlStore> control = database->Account(model::AccountId("123456789012"));
  notify::Outbox outbox{*control, clock};
  notify::TopicService topics{*control, outbox, clock, Settings()};
  std::unique_ptr<access::KeyStore> keys =
      std::move(access::KeyStore::Open(*control, crypto::SecretBox(std::string(32, 'k')), clock)).value();
  access::Authenticator authenticator{*keys, clock, {}};
  access::NewAccessKey admin = std::move(keys->Create(access::Role::kAdmin, "", "test")).value();
  std::unique_ptr<Router> router;
  const std::string arn = "arn:aws:sns:us-east-1:123456789012:Alerts";

  static notify::TopicSettings Settings() {
    notify::TopicSettings settings;
    settings.account = "123456789012";
    settings.region = "us-east-1";
    settings.public_url = "https://api.example:8443";
    settings.link_key = std::string(32, 'l');
    return settings;
  }
  void SetUp() override {
    RouterOptions options;
    options.account_id = "123456789012";
    options.region = "us-east-1";
    options.page_token_key = std::string(32, 'p');
    options.authenticator = &authenticator;
    options.clock = &clock;
    router = std::make_unique<Router>(options);
    RegisterSnsHandlers(*router, topics);
    ASSERT_EQ(Call("Action=CreateTopic&Name=Alerts").status, 200);
  }
  http::Response Call(const std::string& form) {
    http::Request request{"POST", "/", {{"Host", "localhost:8443"}}, form + "&Version=2010-03-31", "192.0.2.7"};
    crypto::HttpCall call{request.method, request.target, request.headers, request.body};
    auto added = crypto::SignCall(call, {admin.id, admin.secret, "us-east-1", "sns"}, clock.Now());
    request.headers.insert(request.headers.end(), added.begin(), added.end());
    return router->Serve(request);
  }
  http::Response Open(const std::string& target, const std::string& accept) {
    return router->Serve({"GET", target, {{"Host", "localhost:8443"}, {"Accept", accept}}, "", "192.0.2.7"});
  }
  /// Path and query of the link in the newest mail.
  std::string Link() {
    auto due = outbox.Queued(100).value();
    const std::string& body = due.back().body;
    std::size_t at = body.find("8443/?") + 4;
    return body.substr(at, body.find('\n', at) - at);
  }
  static bool Has(const http::Response& response, const std::string& text) {
    return response.body.find(text) != std::string::npos;
  }
};

TEST_F(SnsApiTest, ASubscriptionIsConfirmedByItsLink) {
  http::Response answer =
      Call("Action=Subscribe&TopicArn=" + arn + "&Protocol=email&Endpoint=a%40example.com");
  EXPECT_TRUE(Has(answer, "<SubscriptionArn>pending confirmation</SubscriptionArn>")) << answer.body;
  EXPECT_TRUE(Has(Call("Action=ListSubscriptionsByTopic&TopicArn=" + arn), "PendingConfirmation"));
  std::string link = Link();
  http::Response page = Open(link, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(Has(page, "<h1>Subscription confirmed</h1>")) << page.body;
  answer = Open(link, "*/*");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(Has(answer, "<ConfirmSubscriptionResult><SubscriptionArn>" + arn + ":")) << answer.body;
  EXPECT_TRUE(Has(Call("Action=GetTopicAttributes&TopicArn=" + arn),
                  "<key>SubscriptionsConfirmed</key><value>1</value>"));
  page = Open(link.substr(0, link.size() - 4) + "zz%3Cb", "text/html");
  EXPECT_EQ(page.status, 400);
  EXPECT_TRUE(Has(page, "could not be confirmed")) << page.body;
  auto subscription = topics.ListSubscriptions(arn, "", 10).value().items.at(0);
}

TEST_F(SnsApiTest, AMailsLinkAsksBeforeItEndsASubscription) {  // threats.md o
  ASSERT_EQ(Call("Action=Subscribe&TopicArn=" + arn + "&Protocol=email&Endpoint=a%40example.com").status, 200);
  ASSERT_EQ(Open(Link(), "*/*").status, 200);
  clock.Advance(Millis(1));
  ASSERT_EQ(Call("Action=Publish&Message=hello&TopicArn=" + arn).status, 200);
  std::string url = outbox.Queued(100).value().back().url;
  std::string link = url.substr(url.find("8443/") + 4);
  EXPECT_EQ(Open(link.substr(0, link.find("&Token=")), "*/*").status, 403);
  for (const char* accept : {"text/html", "*/*"}) {
    http::Response page = Open(link, accept);
    EXPECT_EQ(page.status, 200);
    EXPECT_TRUE(Has(page, "<h1>End this subscription?</h1>")) << page.body;
    EXPECT_TRUE(Has(page, "name=\"Confirm\" value=\"true\"")) << page.body;
  }
  EXPECT_TRUE(Has(Call("Action=ListSubscriptions"), "example.com"));
  http::Request post{"POST", "/", {{"Host", "localhost:8443"}, {"Accept", "text/html"}},
                     link.substr(2) + "&Version=2010-03-31&Confirm=true", "192.0.2.7"};
  http::Response done = router->Serve(post);
  EXPECT_EQ(done.status, 200);
  EXPECT_TRUE(Has(done, "<h1>Subscription ended</h1>")) << done.body;
  EXPECT_FALSE(Has(Call("Action=ListSubscriptions"), "example.com"));
  post.body = "Action=DeleteTopic&Version=2010-03-31&TopicArn=" + arn;
  EXPECT_EQ(router->Serve(post).status, 403);
}

TEST_F(SnsApiTest, BatchesAndPermissions) {
  auto entry = [](int n, const std::string& id, const std::string& text) {
    std::string name = "PublishBatchRequestEntries.member." + std::to_string(n);
    return "&" + name + ".Id=" + id + "&" + name + ".Message=" + text;
  };
  std::string batch = "Action=PublishBatch&TopicArn=" + arn;
  http::Response answer = Call(batch + entry(1, "a", "x") + entry(2, "b", "y"));
  EXPECT_TRUE(Has(answer, "<Id>a</Id><MessageId>")) << answer.body;
  EXPECT_TRUE(Has(Call(batch + "&PublishBatchRequestEntries="), "EmptyBatchRequest"));
  EXPECT_TRUE(Has(Call(batch + entry(1, "a", "x") + entry(2, "a", "y")), "BatchEntryIdsNotDistinct"));
  EXPECT_TRUE(Has(Call(batch + entry(1, "a.b", "x")), "InvalidBatchEntryId"));
  EXPECT_EQ(Call(batch + "2" + entry(1, "a", "x")).status, 404);
  std::string permission = "Action=AddPermission&TopicArn=" + arn +
                           "&Label=l&AWSAccountId.member.1=111122223333&ActionName.member.1=Publish";
  EXPECT_EQ(Call(permission).status, 200);
  EXPECT_EQ(Call(permission).status, 400);
  EXPECT_TRUE(Has(Call("Action=GetTopicAttributes&TopicArn=" + arn), "111122223333:root"));
  EXPECT_EQ(Call("Action=RemovePermission&Label=l&TopicArn=" + arn).status, 200);
  EXPECT_EQ(Call("Action=RemovePermission&Label=l&TopicArn=" + arn).status, 404);
}

TEST_F(SnsApiTest, UnsignedCallsMayDoNothingElse) {
  EXPECT_EQ(Open("/?Action=ListTopics", "text/html").status, 403);
  EXPECT_EQ(Open("/?Action=DeleteTopic&TopicArn=" + arn, "text/html").status, 403);
  EXPECT_EQ(Open("/?Action=ConfirmSubscription&AuthenticateOnUnsubscribe=true&Token=x&TopicArn=" + arn, "*/*").status,
            403);
}

TEST_F(SnsApiTest, AttributesTagsAndPublish) {
  ASSERT_EQ(Call("Action=SetTopicAttributes&TopicArn=" + arn + "&AttributeName=DisplayName&AttributeValue=Pumps").status,
            200);
  EXPECT_TRUE(Has(Call("Action=GetTopicAttributes&TopicArn=" + arn), "<key>DisplayName</key><value>Pumps</value>"));
  EXPECT_EQ(Call("Action=SetTopicAttributes&TopicArn=" + arn + "&AttributeName=DisplayName&AttributeValue=a%0D%0Ab").status,
            400);
  ASSERT_EQ(Call("Action=TagResource&ResourceArn=" + arn + "&Tags.member.1.Key=k&Tags.member.1.Value=v").status, 200);
  EXPECT_TRUE(Has(Call("Action=ListTagsForResource&ResourceArn=" + arn), "<Key>k</Key><Value>v</Value>"));
  ASSERT_EQ(Call("Action=UntagResource&ResourceArn=" + arn + "&TagKeys.member.1=k").status, 200);
  EXPECT_FALSE(Has(Call("Action=ListTagsForResource&ResourceArn=" + arn), "<Key>k</Key>"));
  EXPECT_TRUE(Has(Call("Action=Publish&Message=hello&TopicArn=" + arn), "<MessageId>"));
  EXPECT_EQ(Call("Action=Publish&Message=hello&Subject=a%0Ab&TopicArn=" + arn).status, 400);
  EXPECT_EQ(Call("Action=Publish&Message=hello&MessageStructure=json&TopicArn=" + arn).status, 400);
  http::Response missing = Call("Action=Publish&Message=hello&TopicArn=" + arn + "2");
  EXPECT_EQ(missing.status, 404);
  EXPECT_TRUE(Has(missing, "<Code>NotFound</Code>")) << missing.body;
  EXPECT_EQ(Call("Action=DeleteTopic&TopicArn=" + arn).status, 200);
  EXPECT_FALSE(Has(Call("Action=ListTopics"), arn));
}

}  // namespace
}  // namespace fleetward::api
