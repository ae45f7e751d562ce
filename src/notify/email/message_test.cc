#include <gtest/gtest.h>

#include "fleetward/base/encoding.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/notify/email.h"
#include "fleetward/store/memory_store.h"

namespace fleetward::notify {
namespace {

Delivery Sample() {
  Delivery d;
  d.message_id = Id128{1, 2};
  d.subscription_id = Id128{3, 4};
  d.kind = "notification";
  d.protocol = "email";
  d.topic = "arn:aws:sns:us-east-1:123456789012:T";
  d.endpoint = "a@example.com";
  d.body = "{\"a\":1}";
  d.created = FromMillis(1700000000000);
  return d;
}

TEST(EmailAddress, TakesPlainAddressesOnly) {
  for (const char* good : {"a@b", "first.last+tag@sub.example.com", "o'neil@example.org"}) {
    EXPECT_TRUE(CheckEmailAddress(good).ok()) << good;
  }
  for (const char* bad : {"", "a", "@b", "a@", "a@b\r\nBcc: c@d", "a b@c", "a@b c", "A <a@b>", "a@b,c@d", "a@b..c",
                          "a\n@b", ".a@b", "a@-b", "a@b@c"}) {
    EXPECT_FALSE(CheckEmailAddress(bad).ok()) << bad;
  }
  EXPECT_FALSE(CheckEmailAddress(std::string(250, 'a') + "@b.com").ok());
}

TEST(Mail, HoldsTheMessageAsItIs) {
  std::string mail = RenderMail(Sample(), "fleetward@host.example", "host.example");
  EXPECT_NE(mail.find("Message-ID: <00000000000000010000000000000002.00000000000000030000000000000004@host.example>"),
            std::string::npos);
  EXPECT_NE(mail.find("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"), std::string::npos);
  EXPECT_NE(mail.find("\r\n\r\n{\"a\":1}\r\n"), std::string::npos);
}

TEST(Mail, HeadersCannotBeInjected) {  // threats.md t
  Delivery d = Sample();
  d.subject = "x\r\nBcc: victim@example.com";
  d.sender_name = "n\"\\\r\nX: y";
  std::string mail = RenderMail(d, "f@h", "h");
  std::string headers = mail.substr(0, mail.find("\r\n\r\n"));
  EXPECT_EQ(headers.find("\nBcc"), std::string::npos);
  EXPECT_EQ(headers.find("\nX:"), std::string::npos);
  d.subject = "=?UTF-8?Q?hello?=";
  mail = RenderMail(d, "f@h", "h");
  EXPECT_EQ(mail.find("Subject: =?UTF-8?Q?"), std::string::npos);
}

TEST(Mail, LongLinesAndOtherScriptsSurvive) {
  Delivery d = Sample();
  d.body = std::string(5000, 'x') + "\xc3\xa9";
  std::string mail = RenderMail(d, "f@h", "h");
  EXPECT_NE(mail.find("Content-Transfer-Encoding: base64"), std::string::npos);
  std::string encoded;
  for (char c : mail.substr(mail.find("\r\n\r\n") + 4)) {
    if (c != '\r' && c != '\n') encoded += c;
  }
  EXPECT_EQ(Base64Decode(encoded), d.body + "\r\n");
}

TEST(Mail, AFlagOfALineInTheBodyIsNoNewHeaderBlock) {
  Delivery d = Sample();
  d.body = "one\rtwo\nthree\r\nfour";
  std::string mail = RenderMail(d, "f@h", "h");
  EXPECT_NE(mail.find("one\r\ntwo\r\nthree\r\nfour\r\n"), std::string::npos);
}

TEST(EmailChannel, RefusesUnusableSettings) {
  ManualClock clock(FromMillis(0));
  auto database = store::MemoryDatabase::Create(clock);
  auto store = database->Account(model::AccountId("123456789012"));
  Outbox outbox(*store, clock);
  auto ca = crypto::CertificateAuthority::Create(clock.Now()).value();
  MessageSigner signer(testing::TempDir(), "https://api.example", ca, clock);
  auto try_url = [&](const char* url) { return MakeEmailChannel({url, "", "", "f@h"}, outbox, signer).ok(); };
  EXPECT_TRUE(try_url("smtp://127.0.0.1:2525"));
  EXPECT_TRUE(try_url("smtp://127.0.0.1:2525?tls=none"));
  EXPECT_TRUE(try_url("smtps://mail.example?tls=required"));
  EXPECT_FALSE(try_url("http://mail.example"));
  EXPECT_FALSE(try_url("smtps://mail.example?tls=none"));
  EXPECT_FALSE(try_url("smtp://user:secret@mail.example"));
}

}  // namespace
}  // namespace fleetward::notify
