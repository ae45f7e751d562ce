#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmp.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "collectors/custom/command.h"
#include "collectors/custom/machine_metrics.h"
#include "collectors/procfs/process_table.h"

namespace fleetward::agent {
namespace {

class CustomMetricsTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fleetward-metrics-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    chmod(name, 0755);  // commands run as another user
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& name, const std::string& text) { std::ofstream(root_ + "/" + name) << text; }
  std::string Script(const std::string& text) {
    Write("script", "#!/bin/sh\n" + text + "\n");
    chmod((root_ + "/script").c_str(), 0755);
    return root_ + "/script";
  }
  Status Measure(CustomMetric& metric) {
    out_.Clear();
    ProcessTable processes(root_);
    CommandBatch commands;
    Surroundings surroundings{processes, commands};
    metric.Prepare(surroundings);
    return metric.Measure(surroundings, out_);
  }
  std::optional<double> NumberOf(CustomMetric& metric) {
    Status measured = Measure(metric);
    if (!measured.ok() || out_.empty()) return std::nullopt;
    return out_[0].number();
  }
  std::optional<double> Run(const std::string& script, int timeout_seconds = 10) {
    CommandMetric metric("m", {{Script(script)}, "", timeout_seconds}, model::CustomMetricType::kNumber);
    return NumberOf(metric);
  }
  std::string root_;
  report::CustomMetrics out_;
};

TEST_F(CustomMetricsTest, CpuUsageIsThatSinceTheLastSample) {
  Write("stat", "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1\n");
  CpuUsageMetric metric("cpu_usage", root_);
  EXPECT_EQ(NumberOf(metric), std::nullopt);
  Write("stat", "cpu  125 0 125 800 150 0 0 0 60 0\n");
  EXPECT_EQ(NumberOf(metric), 25.0);
  Write("stat", "cpu  0 0 0 1 0 0 0 0\n");  // went back: no guess
  EXPECT_EQ(NumberOf(metric), std::nullopt);
  Write("stat", "cpu x\n");
  EXPECT_FALSE(Measure(metric).ok());
}

TEST_F(CustomMetricsTest, MemoryLoadAndDisk) {
  Write("meminfo", "MemTotal:        1000 kB\nMemFree: 1 kB\nMemAvailable:     250 kB\n");
  MemoryMetric percent("m", root_, MemoryFigure::kUsedPercent), bytes("m", root_, MemoryFigure::kAvailableBytes);
  EXPECT_EQ(NumberOf(percent), 75.0);
  EXPECT_EQ(NumberOf(bytes), 256000.0);
  Write("loadavg", "0.25 1.50 2.00 1/100 12345\n");
  LoadMetric one("m", root_, 0), fifteen("m", root_, 2);
  EXPECT_EQ(NumberOf(one), 0.25);
  EXPECT_EQ(NumberOf(fifteen), 2.0);
  DiskMetric disk("m", "/");
  auto used = NumberOf(disk);
  ASSERT_TRUE(used);
  EXPECT_GT(*used, 0);
  EXPECT_LE(*used, 100);
  DiskMetric absent("m", root_ + "/absent");
  EXPECT_FALSE(Measure(absent).ok());
  MemoryMetric nothing("m", "/nonexistent", MemoryFigure::kUsedBytes);
  EXPECT_FALSE(Measure(nothing).ok());
}

TEST_F(CustomMetricsTest, UsersOfUtmp) {
  std::string bytes;
  for (auto [type, user] : {std::pair{USER_PROCESS, "ann"}, {DEAD_PROCESS, "bob"}, {USER_PROCESS, "ann"}, {USER_PROCESS, "eve"}}) {
    struct utmp record {};
    record.ut_type = static_cast<short>(type);
    memcpy(record.ut_user, user, 3);
    bytes.append(reinterpret_cast<char*>(&record), sizeof record);
  }
  Write("utmp", bytes + "cut off");
  UsersMetric count("m", root_ + "/utmp", false), names("m", root_ + "/utmp", true);
  EXPECT_EQ(NumberOf(count), 3.0);
  ASSERT_TRUE(Measure(names).ok());
  ASSERT_EQ(out_[0].string_count(), 2u);
  EXPECT_EQ(out_[0].string(1), "eve");
}

TEST_F(CustomMetricsTest, ProcessNamesAreDistinctUtf8WithoutKernelThreads) {
  auto add = [&](int pid, const std::string& name, int parent) {
    std::filesystem::create_directory(root_ + "/" + std::to_string(pid));
    Write(std::to_string(pid) + "/stat", std::to_string(pid) + " (" + name + ") S " + std::to_string(parent) + " 0\n");
  };
  add(1, "init", 0);
  add(2, "kthreadd", 0);
  add(3, "ksoftirqd/0", 2);
  add(4, "bad\xff", 1);
  add(5, "init", 1);
  ProcessNamesMetric metric("m");
  ASSERT_TRUE(Measure(metric).ok());
  ASSERT_EQ(out_[0].string_count(), 2u);
  EXPECT_EQ(out_[0].string(0), "bad?");
  EXPECT_EQ(out_[0].string(1), "init");
}

TEST_F(CustomMetricsTest, CommandOutputIsTheValue) {
  EXPECT_EQ(Run("echo ' 71.5 '"), 71.5);
  EXPECT_EQ(Run("echo -3"), -3);
  EXPECT_EQ(Run("echo"), std::nullopt);
  EXPECT_EQ(Run("echo 1; echo 2"), std::nullopt);
  EXPECT_EQ(Run("echo 1x"), std::nullopt);
  EXPECT_EQ(Run("echo inf"), std::nullopt);
  EXPECT_EQ(Run("echo 1; exit 3"), std::nullopt);
  CommandMetric strings("m", {{Script("printf 'b\\na\\nb\\n'")}, "", 5}, model::CustomMetricType::kStringList);
  ASSERT_TRUE(Measure(strings).ok());
  EXPECT_EQ(out_[0].string_count(), 2u);
  CommandMetric addresses("m", {{Script("echo 192.0.2.1; echo ::1")}, "", 5}, model::CustomMetricType::kIpAddressList);
  ASSERT_TRUE(Measure(addresses).ok());
  EXPECT_EQ(out_[0].addresses().size(), 2u);
}

TEST_F(CustomMetricsTest, CommandThatHangsIsKilledWithItsChildren) {
  auto begin = std::chrono::steady_clock::now();
  std::string pid_file = root_ + "/pid";
  std::ofstream(pid_file).close();
  chmod(pid_file.c_str(), 0666);
  EXPECT_EQ(Run("sleep 300 & echo $! > " + pid_file + "; wait", 1), std::nullopt);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  pid_t child = 0;
  std::ifstream(pid_file) >> child;
  ASSERT_GT(child, 0);
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    std::ifstream status("/proc/" + std::to_string(child) + "/stat");
    std::string text((std::istreambuf_iterator<char>(status)), {});
    gone = text.empty() || text.find(") Z ") != std::string::npos;
    usleep(10000);
  }
  EXPECT_TRUE(gone);
}

TEST_F(CustomMetricsTest, EndlessOutputIsCutOff) {
  EXPECT_EQ(Run("yes"), std::nullopt);
  EXPECT_EQ(Run("exec >&-; sleep 300", 1), std::nullopt) << "closes its output and goes on";
}

TEST_F(CustomMetricsTest, CommandsGetNoShellNoEnvironmentAndNoDescriptors) {
  setenv("FLEETWARD_SECRET", "secret", 1);
  CommandMetric literal("m", {{"/bin/echo", "$(id);`id`"}, "", 5}, model::CustomMetricType::kStringList);
  ASSERT_TRUE(Measure(literal).ok());
  EXPECT_EQ(out_[0].string(0), "$(id);`id`");
  EXPECT_EQ(Run("env | grep -c FLEETWARD_SECRET; true"), 0);
  EXPECT_EQ(Run("ls /proc/$$/fd | grep -vcE '^(0|1|2|10)$'; true"), 0);
  EXPECT_EQ(Run("grep NoNewPrivs /proc/self/status | cut -f2"), 1);
  if (geteuid() == 0) {
    EXPECT_EQ(Run("id -u"), 65534) << "root's commands run as nobody";
  }
}

TEST_F(CustomMetricsTest, CommandsThatOthersCouldChangeAreNotRun) {
  std::string script = Script("echo 1");
  Command command{{script}, "", 5};
  EXPECT_TRUE(CheckCommand(command).ok());
  chmod(script.c_str(), 0777);
  EXPECT_EQ(CheckCommand(command).error().code(), Code::kPermissionDenied);
  chmod(script.c_str(), 0755);
  chmod(root_.c_str(), 0777);
  EXPECT_EQ(CheckCommand(command).error().code(), Code::kPermissionDenied) << "its folder";
  EXPECT_EQ(CheckCommand({{"echo"}, "", 5}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(CheckCommand({{}, "", 5}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(CheckCommand({{"/nonexistent"}, "", 5}).error().code(), Code::kNotFound);
  EXPECT_EQ(CheckCommand({{"/bin/true"}, "no-such-user", 5}).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace fleetward::agent
