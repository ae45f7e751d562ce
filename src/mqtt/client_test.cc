// The client against a real Mosquitto on a Unix listener of its own.
#include "fleetward/mqtt/client.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "fleetward/mqtt/testing/fake_broker.h"

namespace fleetward::mqtt {
namespace {

class Recorder : public Handler {
 public:
  void OnConnect(int code) override { Note([&] { connect_code = code; }); }
  void OnDisconnect(const std::string& reason) override { Note([&] { end = reason; ++ends; }); }
  void OnMessage(const Message& message) override { Note([&] { messages.push_back(message); }); }
  void OnPublished(int id) override { Note([&] { published.insert(id); }); }
  void OnSubscribed(int, int qos) override { Note([&] { granted = qos; }); }

  template <class Predicate>
  bool Wait(Predicate predicate) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), predicate);
  }

  std::mutex mutex;
  std::condition_variable changed;
  int connect_code = -1;
  int granted = -1;
  int ends = 0;
  std::string end;
  std::vector<Message> messages;
  std::set<int> published;

 private:
  template <class Change>
  void Note(Change change) {
    std::lock_guard lock(mutex);
    change();
    changed.notify_all();
  }
};

class ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fleetward-mqtt-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    socket_ = folder_ + "/ctl.sock";
    std::ofstream(folder_ + "/mosquitto.conf")
        << "listener 0 " << socket_ << "\nallow_anonymous true\nlog_dest none\nuser root\n";
    StartBroker();
  }
  void TearDown() override {
    StopBroker(SIGTERM);
    std::filesystem::remove_all(folder_);
  }

  void StartBroker() {
    broker_ = fork();
    if (broker_ == 0) {
      std::string conf = folder_ + "/mosquitto.conf";
      execlp("mosquitto", "mosquitto", "-c", conf.c_str(), static_cast<char*>(nullptr));
      execl("/usr/sbin/mosquitto", "mosquitto", "-c", conf.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    for (int i = 0; i < 500; ++i) {
      int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      socket_.copy(address.sun_path, sizeof address.sun_path - 1);
      bool up = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
      close(fd);
      if (up) return;
      usleep(10000);
    }
    FAIL() << "mosquitto did not start";
  }
  void StopBroker(int signal) {
    if (broker_ <= 0) return;
    kill(broker_, signal);
    waitpid(broker_, nullptr, 0);
    broker_ = -1;
  }
  ClientOptions Options(const std::string& id) {
    ClientOptions options;
    options.unix_socket = socket_;
    options.client_id = id;
    options.username = "server";
    options.password = "secret";
    return options;
  }

  std::string folder_, socket_;
  pid_t broker_ = -1;
};

TEST_F(ClientTest, CarriesMessagesWithItsOwnThread) {
  Recorder events;
  auto client = Client::Create(Options("a"), events);
  ASSERT_TRUE(client.ok()) << client.error().ToString();
  (*client)->StartThread();
  ASSERT_TRUE((*client)->Connect().ok());
  ASSERT_TRUE(events.Wait([&] { return events.connect_code == 0; }));
  EXPECT_TRUE((*client)->connected());
  ASSERT_TRUE((*client)->Subscribe("t/#", 1).ok());
  ASSERT_TRUE(events.Wait([&] { return events.granted == 1; }));
  std::set<int> sent;
  for (int i = 0; i < 100; ++i) {
    auto id = (*client)->Publish("t/x", std::to_string(i), 1);
    ASSERT_TRUE(id.ok());
    sent.insert(*id);
  }
  ASSERT_TRUE(events.Wait([&] { return events.messages.size() == 100; }));
  ASSERT_TRUE(events.Wait([&] { return events.published == sent; }));
  EXPECT_EQ(events.messages[99].payload, "99");
  EXPECT_EQ(events.messages[0].topic, "t/x");
}

TEST_F(ClientTest, PollsWithoutAThread) {
  Recorder events;
  auto client = Client::Create(Options("b"), events);
  ASSERT_TRUE((*client)->Connect().ok());
  for (int i = 0; i < 100 && events.connect_code != 0; ++i) (*client)->Poll(100);
  ASSERT_EQ(events.connect_code, 0);
  auto id = (*client)->Publish("t/y", "binary\0text", 1);
  ASSERT_TRUE(id.ok());
  for (int i = 0; i < 100 && events.published.empty(); ++i) (*client)->Poll(100);
  EXPECT_EQ(events.published.count(*id), 1u);
  (*client)->Disconnect();
  (*client)->Poll(0);
  EXPECT_EQ(events.ends, 1);
  EXPECT_FALSE((*client)->connected());
}

TEST_F(ClientTest, TellsOnceWhenTheBrokerDiesAndConnectsAgain) {
  Recorder events;
  auto client = Client::Create(Options("c"), events);
  (*client)->StartThread();
  ASSERT_TRUE((*client)->Connect().ok());
  ASSERT_TRUE(events.Wait([&] { return events.connect_code == 0; }));
  StopBroker(SIGKILL);
  ASSERT_TRUE(events.Wait([&] { return events.ends == 1; }));
  EXPECT_FALSE((*client)->connected());
  EXPECT_EQ((*client)->Publish("t/z", "x", 1).error().code(), Code::kUnavailable);
  EXPECT_FALSE((*client)->Connect().ok());
  std::filesystem::remove(socket_);
  StartBroker();
  events.connect_code = -1;
  ASSERT_TRUE((*client)->Connect().ok());
  EXPECT_TRUE(events.Wait([&] { return events.connect_code == 0; }));
  EXPECT_EQ(events.ends, 1);
}

// The owner was told of the end and has taken it back: it would come as of the new connection's time.
TEST(ReconnectTest, SendsNothingOfTheLastConnectionAgain) {
  char folder[] = "/tmp/fleetward-mqtt-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  FakeBroker broker(std::string(folder) + "/broker.sock");
  ASSERT_TRUE(broker.ok());
  Recorder events;
  ClientOptions options;
  options.unix_socket = std::string(folder) + "/broker.sock";
  options.client_id = "x";
  auto client = Client::Create(options, events);
  ASSERT_TRUE(client.ok());
  (*client)->StartThread();
  ASSERT_TRUE((*client)->Connect().ok());
  ASSERT_TRUE(broker.Accept());
  ASSERT_TRUE(events.Wait([&] { return events.connect_code == 0; }));
  ASSERT_TRUE((*client)->Publish("t", "old", 1).ok());
  FakeBroker::Packet packet = broker.Read();
  ASSERT_EQ(packet.type, FakeBroker::kPublish);
  EXPECT_TRUE(packet.body.ends_with("old"));
  broker.Drop();
  ASSERT_TRUE(events.Wait([&] { return events.ends == 1; }));
  events.connect_code = -1;
  ASSERT_TRUE((*client)->Connect().ok());
  ASSERT_TRUE(broker.Accept());
  ASSERT_TRUE(events.Wait([&] { return events.connect_code == 0; }));
  ASSERT_TRUE((*client)->Publish("t", "new", 1).ok());
  packet = broker.Read();
  ASSERT_EQ(packet.type, FakeBroker::kPublish);
  EXPECT_TRUE(packet.body.ends_with("new")) << packet.body;
  (*client)->StopThread();
  std::filesystem::remove_all(folder);
}

TEST(ClientOptionsTest, FaultsAreErrors) {
  Recorder events;
  ClientOptions options;
  EXPECT_EQ(Client::Create(options, events).error().code(), Code::kInvalidArgument);
  options.client_id = "x";
  options.tls.ca_file = "/nonexistent/ca.pem";
  EXPECT_EQ(Client::Create(options, events).error().code(), Code::kInvalidArgument);
  options.tls = {};
  options.host = "127.0.0.1";
  options.port = 1;
  auto client = Client::Create(options, events);
  ASSERT_TRUE(client.ok());
  Status connected = (*client)->Connect();
  for (int i = 0; connected.ok() && i < 100 && events.ends == 0; ++i) (*client)->Poll(50);
  EXPECT_TRUE(!connected.ok() || events.ends == 1);
}

}  // namespace
}  // namespace fleetward::mqtt
