#include "command_line.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "agent.h"
#include "collectors/replay/replay_collector.h"
#include "fleetward/base/file.h"

namespace fleetward::agent {
namespace {

const std::vector<std::string> kNeeded{"-e", "host", "-r", "ca", "-c", "cert", "-k", "key", "-id", "client"};

Result<CommandLine> Parse(std::vector<std::string> more) {
  std::vector<std::string> all = kNeeded;
  all.insert(all.end(), more.begin(), more.end());
  return ParseCommandLine(all);
}

TEST(CommandLine, TakesAwsShortFlags) {
  auto line = Parse({"-t", "thing", "-f", "cbor", "-i", "301", "-s", "-cm", "-p", "443"});
  ASSERT_TRUE(line.ok()) << line.error().message();
  const AgentOptions& o = line->options;
  EXPECT_EQ(o.endpoint, "host");
  EXPECT_EQ(o.root_ca, "ca");
  EXPECT_EQ(o.certificate, "cert");
  EXPECT_EQ(o.key, "key");
  EXPECT_EQ(o.client_id, "client");
  EXPECT_EQ(o.thing(), "thing");
  EXPECT_EQ(o.format, "cbor");
  EXPECT_EQ(o.interval_seconds, 301);
  EXPECT_TRUE(o.short_names);
  EXPECT_TRUE(o.cpu_usage);
  EXPECT_EQ(o.port, 443);
}

TEST(CommandLine, TakesAwsLongFlags) {
  auto line = ParseCommandLine({"--endpoint", "host", "--rootCA=ca", "--cert", "cert", "--key", "key", "--client_id",
                                "client", "--thing_name", "t", "--format", "json", "--interval", "300", "--short_tags",
                                "--include-custom-metrics", "--verbosity", "Debug"});
  ASSERT_TRUE(line.ok()) << line.error().message();
  EXPECT_TRUE(line->options.cpu_usage);
  EXPECT_EQ(line->options.log_level, "debug");
  EXPECT_EQ(line->options.thing(), "t");
}

TEST(CommandLine, WebSocketFlagsAreIgnoredAndNamed) {
  auto line = Parse({"-w", "True", "-se", "us-east-1", "-ph", "proxy", "-pp", "8080"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->ignored, (std::vector<std::string>{"-w", "-se", "-ph", "-pp"}));
}

TEST(CommandLine, FaultsAreNamed) {
  for (std::vector<std::string> bad : std::vector<std::vector<std::string>>{
           {"-x"}, {"-i", "0"}, {"-i", "5m"}, {"-f", "xml"}, {"-p", "0"}, {"stray"}, {"-i"}, {"--count", "x"},
           {"-t", "a/b"}, {"-t", "a+b"}, {"-t", std::string(129, 'x')}, {"-t", "\xff"}, {"-t", "a\nb"},
           {"--set", "interval_secondz=1"}, {"--set", "collector=replay"}}) {
    EXPECT_FALSE(Parse(bad).ok()) << bad[0];
  }
  EXPECT_FALSE(ParseCommandLine({}).ok());
  EXPECT_FALSE(ParseCommandLine({"@/nonexistent"}).ok());
}

TEST(CommandLine, FlagsWinOverTheFile) {
  char name[] = "/tmp/fleetward-cli-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  std::string folder = name;
  std::ofstream(folder + "/a.toml") << "interval_seconds = 60\nformat = \"cbor\"\n[[custom_metric]]\n"
                                       "name = \"num_child_procs_myapp\"\nchild_processes_of = \"myapp\"\n";
  std::ofstream(folder + "/args") << "-i\n30\n--config\n" << folder << "/a.toml\n";
  auto line = Parse({"@" + folder + "/args"});
  ASSERT_TRUE(line.ok()) << line.error().message();
  EXPECT_EQ(line->options.interval_seconds, 30);
  EXPECT_EQ(line->options.format, "cbor");
  ASSERT_EQ(line->options.custom_metrics.size(), 1u);
  EXPECT_EQ(line->options.custom_metrics[0].child_processes_of, "myapp");
  std::filesystem::remove_all(folder);
}

TEST(AgentTable, BadFilesNameTheirFault) {
  for (auto [text, expected] : std::vector<std::pair<std::string, std::string>>{
           {"[[custom_metric]]\nname = \"x\"\n", "exactly one key"},
           {"[[custom_metric]]\nname = \"x\"\nload = \"1m\"\ncpu_usage = true\n", "exactly one key"},
           {"[[custom_metric]]\nname = \"bad name\"\ncpu_usage = true\n", "name must be"},
           {"[[custom_metric]]\nname = \"x\"\nload = \"2m\"\n", "must be one of"},
           {"[[custom_metric]]\nname = \"x\"\ncommand = [\"date\"]\n", "absolute path"},
           {"[[custom_metric]]\nname = \"x\"\nchildren_of = \"y\"\n", "unknown key children_of"},
           {"[[custom_metrics]]\nname = \"x\"\n", "unknown list"},
           {"custom_metric = 5\n", "unknown key"}}) {
    AgentOptions options;
    Status applied = config::ApplyToml(AgentTable(), text, "a.toml", &options);
    ASSERT_FALSE(applied.ok()) << text;
    EXPECT_NE(applied.error().message().find(expected), std::string::npos) << applied.error().message();
  }
}

TEST(AgentTable, ExamplesAreAccepted) {
  for (const config::OptionSpec& option : AgentTable().options) {
    AgentOptions options;
    std::string text = std::string(option.name) + " = " + std::string(option.example);
    EXPECT_TRUE(config::ApplyToml(AgentTable(), text, "example", &options).ok()) << text;
  }
}

TEST(SpoolFolder, HoldsThingsOfAnyName) {
  AgentOptions options;
  options.endpoint = "h";
  options.client_id = "../../etc";
  options.spool_directory = "/s";
  EXPECT_EQ(SpoolFolder(options), "/s/spool/h-8883/thing-..%2F..%2Fetc");
  options.client_id = "..";
  EXPECT_EQ(SpoolFolder(options), "/s/spool/h-8883/thing-..");
  options.spool_directory = "";
  EXPECT_EQ(SpoolFolder(options), "");
}

TEST(ReplayCollector, PlaysItsRecording) {
  auto collector = ReplayCollector::Parse("# comment\ntcp=22,80 udp=68 conn=192.0.2.1:443,[::1]:80 net=lo:1:2:3:4\ntcp=23\n");
  ASSERT_TRUE(collector.ok());
  SocketTable table;
  std::vector<InterfaceCounters> interfaces;
  ASSERT_TRUE((*collector)->Sockets(table).ok());
  ASSERT_TRUE((*collector)->Interfaces(interfaces).ok());
  EXPECT_EQ(table.tcp_listening, (std::vector<std::uint16_t>{22, 80}));
  EXPECT_EQ(table.connections[1].address.ToString(), "::1");
  EXPECT_EQ(interfaces.at(0), (InterfaceCounters{"lo", 1, 2, 3, 4}));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*collector)->Sockets(table).ok());
    ASSERT_TRUE((*collector)->Interfaces(interfaces).ok());
    EXPECT_EQ(table.tcp_listening, std::vector<std::uint16_t>{23});
  }
  for (const char* bad : {"", "# nothing\n", "tcp=x\n", "tcp=70000\n", "conn=1.2.3.4\n", "net=lo:1:2\n", "what=1\n"}) {
    EXPECT_FALSE(ReplayCollector::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace fleetward::agent
