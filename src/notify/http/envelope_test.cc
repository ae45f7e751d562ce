#include "envelope.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <filesystem>

#include "fleetward/base/encoding.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/notify/message.h"

namespace fleetward::notify {
namespace {

Delivery Notification() {
  Delivery d;
  d.message_id = Id128{0x22b80b92fdea4c2cULL, 0x8f9dbdfb0c7bf324ULL};
  d.kind = "notification";
  d.topic = "arn:aws:sns:us-west-2:123456789012:MyTopic";
  d.protocol = "https";
  d.subject = "My First Message";
  d.body = "Hello\nworld!";
  d.url = "https://api.example/?Action=Unsubscribe";
  d.created = FromMillis(1335920046655);
  return d;
}

TEST(Envelope, StringsToSignAreAsDocumented) {
  Delivery d = Notification();
  EXPECT_EQ(StringToSign(d),
            "Message\nHello\nworld!\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubject\nMy First Message\n"
            "Timestamp\n2012-05-02T00:54:06.655Z\nTopicArn\narn:aws:sns:us-west-2:123456789012:MyTopic\nType\n"
            "Notification\n");
  d.subject.clear();
  EXPECT_EQ(StringToSign(d).find("Subject"), std::string::npos);
  d.kind = "unsubscribe-confirmation";
  d.token = "abc";
  EXPECT_EQ(StringToSign(d),
            "Message\nHello\nworld!\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubscribeURL\n"
            "https://api.example/?Action=Unsubscribe\nTimestamp\n2012-05-02T00:54:06.655Z\nToken\nabc\nTopicArn\n"
            "arn:aws:sns:us-west-2:123456789012:MyTopic\nType\nUnsubscribeConfirmation\n");
}

TEST(Envelope, MembersByType) {
  Delivery d = Notification();
  d.attributes = AttributesJson({{"n", {"Number", "5"}}, {"b", {"Binary", "\xff"}}});
  d.body = "bad \xff byte";
  auto j = nlohmann::json::parse(Envelope(d, {"sig", "https://api.example/x.pem"}));
  EXPECT_EQ(j["Message"], "bad \xef\xbf\xbd byte");
  EXPECT_NE(StringToSign(d).find("bad \xef\xbf\xbd byte\n"), std::string::npos);
  EXPECT_EQ(j["MessageAttributes"]["n"]["Value"], "5");
  EXPECT_EQ(j["MessageAttributes"]["b"]["Value"], "/w==");
  EXPECT_TRUE(j.contains("UnsubscribeURL"));
  EXPECT_FALSE(j.contains("Token"));
  d.kind = "confirmation";
  d.token = "t";
  j = nlohmann::json::parse(Envelope(d, {"sig", "u"}));
  EXPECT_EQ(j["Type"], "SubscriptionConfirmation");
  EXPECT_EQ(j["Token"], "t");
  EXPECT_FALSE(j.contains("Subject") || j.contains("UnsubscribeURL") || j.contains("MessageAttributes"));
}

class SignerTest : public testing::Test {
 protected:
  std::string folder_ = std::string(testing::TempDir()) + "/signer-" + std::to_string(getpid());
  ManualClock clock_{FromMillis(1'790'000'000'000)};
  crypto::CertificateAuthority ca_ = crypto::CertificateAuthority::Create(clock_.Now()).value();
  ~SignerTest() override { std::filesystem::remove_all(folder_); }
};

TEST_F(SignerTest, TheKeyIsMadeOnceKeptPrivateAndRotated) {
  std::string url;
  {
    MessageSigner signer(folder_, "https://api.example", ca_, clock_);
    auto first = signer.Sign("text", 1).value();
    url = first.certificate_url;
    ASSERT_TRUE(url.starts_with("https://api.example/SimpleNotificationService-")) << url;
    EXPECT_EQ(signer.Sign("text", 1)->base64, first.base64);
    EXPECT_NE(signer.Sign("text", 2)->base64, first.base64);
    EXPECT_EQ(Base64Decode(first.base64)->size(), 256U);
  }
  auto mode = std::filesystem::status(folder_ + "/current.key").permissions();
  EXPECT_EQ(static_cast<unsigned>(mode), 0600U);
  MessageSigner signer(folder_, "https://api.example", ca_, clock_);
  std::string file = url.substr(url.rfind('/') + 1);
  ASSERT_TRUE(signer.CertificatePem(file));
  auto certificate = crypto::Certificate::FromPem(*signer.CertificatePem(file)).value();
  EXPECT_TRUE(certificate.IsSignedBy(ca_.certificate()));
  EXPECT_FALSE(signer.CertificatePem("SimpleNotificationService-0.pem"));
  EXPECT_FALSE(signer.CertificatePem("current.key"));
  EXPECT_EQ(signer.Sign("text", 1)->certificate_url, url);
  clock_.Advance(std::chrono::hours(24 * 370));
  EXPECT_NE(signer.Sign("text", 1)->certificate_url, url);
  EXPECT_TRUE(signer.CertificatePem(file)) << "messages of the former key can still be verified";
  clock_.Advance(std::chrono::hours(24 * 40));
  MessageSigner later(folder_, "https://api.example", ca_, clock_);
  EXPECT_FALSE(later.CertificatePem(file));
}

}  // namespace
}  // namespace fleetward::notify
