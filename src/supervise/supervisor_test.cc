#include "fleetward/supervise/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>

#include "fleetward/base/file.h"
#include "process.h"

namespace fleetward::supervise {
namespace {

bool Eventually(const std::function<bool()>& condition, int ms = 10000) {
  for (int waited = 0; waited < ms; waited += 10) {
    if (condition()) return true;
    ::usleep(10000);
  }
  return false;
}

/// The children are shell scripts: what is tested is the supervision, with real processes and signals.
class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fw-supervise-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    Script("broker", "trap 'exit 0' TERM; echo $$ >> " + dir_ + "/broker.starts; echo '1: Client a disconnected.'\n"
                     "while :; do sleep 0.02; done");
    Script("server", "echo $$ >> " + dir_ + "/server.starts; exec sleep 1000");
  }
  void TearDown() override {
    if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
    for (const char* mark : {"/data/run/broker.mark", "/data/run/server.mark"}) {
      if (auto living = LivingMark(dir_ + mark)) EndProcess(*living, 100);
    }
    (void)!::system(("rm -rf " + dir_).c_str());
  }
  void Script(const std::string& name, const std::string& text) {
    std::ofstream(dir_ + "/" + name) << "#!/bin/bash\n" << text << "\n";
    ASSERT_EQ(::chmod((dir_ + "/" + name).c_str(), 0755), 0);
  }
  SupervisorOptions Options() {
    SupervisorOptions options;
    options.data_dir = dir_ + "/data";
    options.user = "";
    options.broker_program = dir_ + "/broker";
    options.server_command = {dir_ + "/server"};
    options.broker.certificate_file = options.broker.key_file = options.broker.ca_folder =
        options.broker.plugin_file = "/x";
    return options;
  }
  /// In a process of its own, as it is meant to be.
  void Up() {
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ > 0) return;
    SupervisorOptions options = Options();
    auto lock = LockFolder(options.data_dir);
    if (!lock.ok()) ::_exit(2);
    options.lock = std::move(lock).value();
    auto supervisor = Supervisor::Prepare(std::move(options));
    if (!supervisor.ok()) ::_exit(3);
    ::_exit((*supervisor)->Run().ok() ? 0 : 4);
  }
  pid_t PidIn(const std::string& file) {
    auto text = ReadFile(dir_ + "/data/" + file, 64);
    return text.ok() ? std::atoi(text->c_str()) : 0;
  }
  bool BothRun() {
    return PidIn("broker.pid") > 0 && PidIn("server.pid") > 0 && MarkOf(PidIn("broker.pid")) &&
           MarkOf(PidIn("server.pid"));
  }
  std::string dir_;
  pid_t pid_ = 0;
};

TEST_F(SupervisorTest, SigtermEndsEverythingWithExitZero) {
  Up();
  ASSERT_TRUE(Eventually([&] { return BothRun(); }));
  EXPECT_EQ(PidIn("supervisor.pid"), pid_);
  pid_t broker = PidIn("broker.pid"), server = PidIn("server.pid");
  auto start = std::chrono::steady_clock::now();
  ::kill(pid_, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(pid_, &status, 0), pid_);
  pid_ = 0;
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_FALSE(MarkOf(broker).has_value());
  EXPECT_FALSE(MarkOf(server).has_value());
}

TEST_F(SupervisorTest, TheBrokerAloneGetsAnAllocatorAndThePluginBesideWhatIsPreloaded) {
  Script("broker", "echo \"$LD_PRELOAD\" > " + dir_ + "/broker.preload; exec sleep 1000");
  Script("server", "echo \"$LD_PRELOAD\" > " + dir_ + "/server.preload; exec sleep 1000");
  const char* inherited = std::getenv("LD_PRELOAD");
  std::string others = inherited == nullptr ? "" : inherited;
  Up();
  auto written = [&](const char* name) {
    auto text = ReadFile(dir_ + "/" + name, 4096);
    return text.ok() && text->ends_with('\n');
  };
  ASSERT_TRUE(Eventually([&] { return written("broker.preload") && written("server.preload"); }));
  EXPECT_EQ(*ReadFile(dir_ + "/broker.preload", 4096),
            "libtcmalloc_minimal.so.4:/x" + (others.empty() ? "" : ":" + others) + "\n");
  EXPECT_EQ(*ReadFile(dir_ + "/server.preload", 4096), others + "\n");
}

TEST_F(SupervisorTest, EitherChildIsRestartedAlone) {
  Up();
  ASSERT_TRUE(Eventually([&] { return BothRun(); }));
  pid_t broker = PidIn("broker.pid"), server = PidIn("server.pid");
  ::kill(server, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return BothRun() && PidIn("server.pid") != server; }));
  EXPECT_EQ(PidIn("broker.pid"), broker);
  server = PidIn("server.pid");
  ::kill(broker, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return BothRun() && PidIn("broker.pid") != broker; }));
  EXPECT_EQ(PidIn("server.pid"), server);
}

TEST_F(SupervisorTest, ASecondSupervisorIsKeptOutByNamingTheFirst) {
  Up();
  ASSERT_TRUE(Eventually([&] { return BothRun(); }));
  auto second = LockFolder(dir_ + "/data");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), Code::kConflict);
  EXPECT_NE(second.error().message().find("pid " + std::to_string(pid_)), std::string::npos);
}

TEST_F(SupervisorTest, ItsDeathEndsBothChildren) {
  Up();
  ASSERT_TRUE(Eventually([&] { return BothRun(); }));
  pid_t broker = PidIn("broker.pid"), server = PidIn("server.pid");
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
  EXPECT_TRUE(Eventually([&] { return !MarkOf(broker) && !MarkOf(server); }));
}

TEST_F(SupervisorTest, LeftoversAreEndedBeforeTheNextStart) {
  Script("broker", "trap '' TERM; echo $$ >> " + dir_ + "/broker.starts; while :; do sleep 0.02; done");
  Up();
  ASSERT_TRUE(Eventually([&] { return BothRun() && std::filesystem::exists(dir_ + "/broker.starts"); }));
  pid_t broker = PidIn("broker.pid");
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ASSERT_TRUE(MarkOf(broker).has_value()) << "this one does not listen to SIGTERM";
  Script("broker", "echo $$ >> " + dir_ + "/broker.starts; exec sleep 1000");
  Up();
  ASSERT_TRUE(Eventually([&] { return BothRun() && PidIn("broker.pid") != broker; }));
  EXPECT_FALSE(MarkOf(broker).has_value());
}

}  // namespace
}  // namespace fleetward::supervise
