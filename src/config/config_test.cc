#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "fleetward/base/file.h"
#include "fleetward/config/option.h"
#include "fleetward/config/server_options.h"
#include "toml.h"

namespace fleetward::config {
namespace {

std::string Data(const std::string& name) { return FLEETWARD_SOURCE_DIR "/tests/data/config/" + name; }

TEST(ServerTable, DefaultsPassTheirOwnChecks) {
  ServerOptions options;
  for (const OptionSpec& option : ServerTable().options) {
    if (option.check == nullptr) continue;
    Status checked = option.check(option.member(&options));
    EXPECT_TRUE(checked.ok()) << option.name << ": " << checked.error().ToString();
  }
}

TEST(ServerTable, EveryOptionHasHelpAndAnExampleThatIsAccepted) {
  for (const OptionSpec& option : ServerTable().options) {
    EXPECT_FALSE(option.help.empty()) << option.name;
    ASSERT_FALSE(option.example.empty()) << option.name;
    ServerOptions options;
    std::string text = std::string(option.name) + " = " + std::string(option.example);
    Status applied = ApplyToml(ServerTable(), text, "example", &options);
    EXPECT_TRUE(applied.ok()) << text << ": " << applied.error().ToString();
  }
}

// Threat m: what a server that nobody configured shows to whom.
TEST(ServerTable, OnlyDevicesReachAServerOfDefaultsFromOutside) {
  ServerOptions options;
  EXPECT_EQ(options.metrics_listen, "127.0.0.1:9464");
  EXPECT_EQ(options.api_listen, "127.0.0.1:8443");
  EXPECT_EQ(options.mqtt_listen, (std::vector<std::string>{"0.0.0.0:8883"}));
}

TEST(ServerTable, GoodFileSetsEverything) {
  ServerOptions options;
  Status applied = ApplyFile(ServerTable(), Data("good_server.toml"), &options);
  ASSERT_TRUE(applied.ok()) << applied.error().ToString();
  EXPECT_EQ(options.account_id, "210987654321");
  EXPECT_EQ(options.mqtt_listen, (std::vector<std::string>{"0.0.0.0:8883", "[::]:443"}));
  EXPECT_EQ(options.detect_min_duration_seconds, 10);
  EXPECT_FALSE(options.detect_early);
  EXPECT_EQ(options.notify_smtp_url, "smtps://mail.example.org:465");
  EXPECT_EQ(options.api_rate_per_key, 50);
}

// One fault a file; the first line of each says what the error must contain.
TEST(ServerTable, BadFilesNameTheirFault) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Data("bad"))) {
    SCOPED_TRACE(entry.path().filename().string());
    std::string text = *ReadFile(entry.path());
    ASSERT_TRUE(text.starts_with("# expect: "));
    std::string expected = text.substr(10, text.find('\n') - 10);
    ServerOptions options;
    Status applied = ApplyFile(ServerTable(), entry.path(), &options);
    ASSERT_FALSE(applied.ok());
    EXPECT_EQ(applied.error().code(), Code::kInvalidArgument);
    EXPECT_NE(applied.error().message().find(expected), std::string::npos) << applied.error().message();
    ++seen;
  }
  EXPECT_GE(seen, 10);
}

TEST(ParseToml, LettersOfOtherScriptsStandInQuotesAndCommentsOnly) {
  for (const char* text : {"a = \"\u00e9 \\\" \u0349\" # \u0349\n", "a = '\u0349\\' # '\n", "a = \"\"\"x\n\u0349\"\" \"\"\"\n",
                           "a = '''x\n\u0349'' '''\nb = [\"\u0349\", '\u0349']\n"}) {
    EXPECT_TRUE(ParseToml(text, "f").ok()) << text;
  }
  for (const char* text : {"\u0349 = 1", "h \u0349e//", "a = \"x\" \u0349", "a = 'x'\u0349", "a = \"\"\"x\"\"\" \u0349", "# c\n\u0349"}) {
    auto parsed = ParseToml(text, "f");
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.error().message().find("only ASCII"), std::string::npos) << parsed.error().message();
  }
}

TEST(ServerTable, MissingFileIsNotFound) {
  ServerOptions options;
  EXPECT_EQ(ApplyFile(ServerTable(), "/nonexistent/f.toml", &options).error().code(), Code::kNotFound);
}

TEST(ApplySetting, TakesEveryType) {
  ServerOptions options;
  EXPECT_TRUE(ApplySetting(ServerTable(), "mqtt.listen=0.0.0.0:8883,0.0.0.0:443", &options).ok());
  EXPECT_TRUE(ApplySetting(ServerTable(), "detect.early=false", &options).ok());
  EXPECT_TRUE(ApplySetting(ServerTable(), "detect.shards=3", &options).ok());
  EXPECT_TRUE(ApplySetting(ServerTable(), "api.rate_per_key=2.5", &options).ok());
  EXPECT_TRUE(ApplySetting(ServerTable(), "notify.smtp.url=smtp://h:25?tls=none", &options).ok());
  EXPECT_EQ(options.mqtt_listen.size(), 2u);
  EXPECT_FALSE(options.detect_early);
  EXPECT_EQ(options.detect_shards, 3);
  EXPECT_EQ(options.api_rate_per_key, 2.5);
  EXPECT_EQ(options.notify_smtp_url, "smtp://h:25?tls=none");
}

TEST(ApplySetting, RefusesFaults) {
  ServerOptions options;
  for (const char* bad : {"api.listen", "api.listne=127.0.0.1:1", "detect.early=yes", "detect.shards=3x",
                          "detect.shards=257", "api.rate_per_key=nan", "mqtt.listen=", "log.level=loud",
                          "api.listen=127.0.0.1:0", "api.listen=::1:80", "=", ""}) {
    EXPECT_FALSE(ApplySetting(ServerTable(), bad, &options).ok()) << bad;
  }
  Status typo = ApplySetting(ServerTable(), "api.listne=127.0.0.1:1", &options);
  EXPECT_NE(typo.error().message().find("did you mean api.listen?"), std::string::npos);
}

TEST(ParseHostPort, TakesNamesAndBracketedAddresses) {
  EXPECT_EQ(ParseHostPort("[::1]:8883")->host, "::1");
  EXPECT_EQ(ParseHostPort("localhost:1")->port, 1);
  EXPECT_FALSE(ParseHostPort("8883").ok());
  EXPECT_FALSE(ParseHostPort(":8883").ok());
  EXPECT_FALSE(ParseHostPort("h:65536").ok());
}

}  // namespace
}  // namespace fleetward::config
