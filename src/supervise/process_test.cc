#include "process.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fleetward::supervise {
namespace {

TEST(ProcessTest, ProgramsThatAreMissingAreAnError) {
  Launch launch;
  launch.command = {"/no/such/program"};
  auto pid = StartProcess(launch);
  ASSERT_FALSE(pid.ok());
  EXPECT_NE(pid.error().message().find("/no/such/program"), std::string::npos);
}

TEST(ProcessTest, MarksTellProcessesApartAndEndThem) {
  Launch launch;
  launch.command = {"sleep", "100"};
  pid_t pid = StartProcess(launch).value();
  auto mark = MarkOf(pid);
  ASSERT_TRUE(mark.has_value());
  std::string file = "/tmp/fw-mark-" + std::to_string(::getpid());
  ASSERT_TRUE(WriteMark(file, *mark).ok());
  EXPECT_TRUE(LivingMark(file).has_value());
  ASSERT_TRUE(WriteMark(file, {pid, mark->start_time + 1}).ok());
  EXPECT_FALSE(LivingMark(file).has_value()) << "another process got the pid";
  struct stat before {}, after {};
  ASSERT_EQ(::stat(file.c_str(), &before), 0);
  ASSERT_TRUE(WriteMark(file, {}).ok());
  ASSERT_EQ(::stat(file.c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino) << "in place: a full disk must not prevent it";
  EXPECT_EQ(before.st_size, after.st_size);
  EXPECT_FALSE(LivingMark(file).has_value());
  ::unlink(file.c_str());
  EndProcess(*mark, 1000);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(ProcessTest, APortInUseNamesProcessAndSetting) {
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::uint16_t port = ntohs(address.sin_port);
  Status status = CheckPortFree("127.0.0.1", port, "mqtt.listen");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("supervise_test (pid " + std::to_string(::getpid()) + ")"),
            std::string::npos)
      << status.error().message();
  EXPECT_NE(status.error().message().find("--set mqtt.listen="), std::string::npos);
  ::close(fd);
  EXPECT_TRUE(CheckPortFree("127.0.0.1", port, "mqtt.listen").ok());
}

}  // namespace
}  // namespace fleetward::supervise
