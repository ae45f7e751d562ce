#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "fleetward/bus/frame_listener.h"
#include "fleetward/bus/frame_sender.h"

namespace fleetward::bus {
namespace {

class LinkTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fw-link-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    path_ = dir_ + "/ingest.sock";
  }
  void TearDown() override {
    listener_.reset();
    ::unlink(path_.c_str());
    ::rmdir(dir_.c_str());
  }
  void Listen() {
    listener_.reset();
    FrameListener::Options options;
    options.path = path_;
    auto opened = FrameListener::Open(options);
    ASSERT_TRUE(opened.ok());
    listener_ = std::move(*opened);
  }
  FrameSender::Options Edge(std::size_t max_bytes = 1 << 20) {
    FrameSender::Options options;
    options.path = path_;
    options.edge_id = "edge-1";
    options.plugin_start = Id128{1, 2};
    options.max_bytes = max_bytes;
    return options;
  }
  /// Turns both ends until nothing comes for some rounds; keeps what arrived.
  void Turn(FrameSender& sender, std::uint64_t welcome_with = 0, bool ack = true) {
    for (int idle = 0; idle < 5;) {
      sender.Pump(now_ += 200, 0);
      auto batches = listener_->Poll(Millis(1));
      ASSERT_TRUE(batches.ok());
      idle = batches->empty() ? idle + 1 : 0;
      for (const EdgeBatch& batch : *batches) Keep(batch, welcome_with, ack);
    }
  }
  void Keep(const EdgeBatch& batch, std::uint64_t welcome_with, bool ack) {
    if (batch.hello) {
      edge_ = std::string(batch.hello->edge_id);
      listener_->Welcome(batch.connection, welcome_with);
    }
    for (const report::RawFrame& frame : batch.frames) {
      seqs_.push_back(frame.seq);
      if (frame.type == report::FrameType::kReport) {
        payloads_.push_back(std::string(report::DecodeReport(frame.body).value().payload));
      }
      if (frame.type == report::FrameType::kClock) ++clocks_;
      if (frame.type == report::FrameType::kDropped) {
        auto dropped = report::DecodeDropped(frame.body).value();
        while (auto entry = report::NextDropped(dropped).value()) dropped_ += entry->reports;
        dropped_ += dropped.other_reports;
      }
    }
    if (ack && !batch.frames.empty()) listener_->Ack(batch.connection, batch.frames.back().seq);
  }
  static bool Report(FrameSender& sender, std::string_view thing, std::string_view payload) {
    report::ReportFrame frame;
    frame.thing = thing;
    frame.payload = payload;
    return sender.Add(frame);
  }

  std::string dir_, path_, edge_;
  std::unique_ptr<FrameListener> listener_;
  std::int64_t now_ = 1000;
  int clocks_ = 0;
  std::uint64_t dropped_ = 0;
  std::vector<std::uint64_t> seqs_;
  std::vector<std::string> payloads_;
};

TEST_F(LinkTest, FramesArriveInOrderAndAcksFreeTheBuffer) {
  Listen();
  FrameSender sender(Edge());
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Report(sender, "t", std::to_string(i)));
  Turn(sender);
  EXPECT_EQ(edge_, "edge-1");
  ASSERT_EQ(payloads_.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(payloads_[static_cast<std::size_t>(i)], std::to_string(i));
  EXPECT_EQ(sender.buffered_bytes(), 0u);
  EXPECT_EQ(sender.acked_seq(), 1000u);
}

TEST_F(LinkTest, UnacknowledgedFramesComeAgainAfterTheServersDeath) {
  FrameSender sender(Edge(64 << 20));
  Listen();
  std::string big(1000, 'x');
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(Report(sender, "t", big + std::to_string(i)));
  Turn(sender, 0, false);
  ASSERT_EQ(seqs_.size(), 2000u);
  Listen();  // a new server that knows frames up to 700
  seqs_.clear();
  payloads_.clear();
  Turn(sender, 700);
  ASSERT_EQ(seqs_.size(), 1300u);
  EXPECT_EQ(seqs_.front(), 701u);
  EXPECT_EQ(payloads_.front(), big + "700");
  EXPECT_EQ(seqs_.back(), 2000u);
  EXPECT_EQ(sender.buffered_bytes(), 0u);
  ASSERT_TRUE(Report(sender, "t", "more"));
  Turn(sender);
  EXPECT_EQ(seqs_.back(), 2001u);
}

TEST_F(LinkTest, WithoutAServerCountersGoFirstThenReportsAndAllLossIsCounted) {
  FrameSender sender(Edge(64 * 1024));
  report::CountersFrame counters;
  std::string records(1000, 'r');
  counters.records = records;
  int counter_frames = 0;
  while (sender.Add(counters)) ++counter_frames;
  EXPECT_GT(counter_frames, 20);
  EXPECT_LE(sender.buffered_bytes(), 32u * 1024);
  int reports = 0;
  std::string payload(900, 'p');
  while (Report(sender, "t1", payload)) ++reports;
  EXPECT_GT(reports, 20) << "half of the buffer is for reports alone";
  EXPECT_LE(sender.buffered_bytes(), 64u * 1024);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(Report(sender, "t2", payload));
  Listen();
  Turn(sender);
  Turn(sender);
  EXPECT_EQ(payloads_.size(), static_cast<std::size_t>(reports));
  EXPECT_EQ(dropped_, 5u);
}

TEST_F(LinkTest, NamesOfDroppedThingsAreBounded) {
  auto options = Edge(2048);
  options.max_dropped_things = 3;
  FrameSender sender(options);
  std::string payload(4000, 'p');
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(Report(sender, "t" + std::to_string(i), payload));
  Listen();
  Turn(sender);
  EXPECT_EQ(dropped_, 10u);
}

TEST_F(LinkTest, WaitingClocksReplaceEachOther) {
  FrameSender sender(Edge());
  report::ClockFrame clock;
  for (int i = 0; i < 100000; ++i) sender.Add(clock);
  EXPECT_LT(sender.buffered_bytes(), 100u);
  Listen();
  Turn(sender);
  EXPECT_EQ(clocks_, 1);
  sender.Add(clock);
  Turn(sender);
  sender.Add(clock);
  Turn(sender);
  EXPECT_EQ(clocks_, 3);
  EXPECT_EQ(seqs_, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_F(LinkTest, AStoppedServerDoesNotBlockTheSender) {
  Listen();
  FrameSender sender(Edge(8 << 20));
  Turn(sender);
  std::string payload(4000, 'p');
  for (int i = 0; i < 4000; ++i) {  // 16 MB into a socket nobody reads
    Report(sender, "t", payload);
    sender.Pump(now_ += 1, 0);
  }
  EXPECT_LE(sender.buffered_bytes(), 8u << 20);
  Turn(sender);
  Turn(sender);
  EXPECT_EQ(payloads_.size() + dropped_, 4000u);
  EXPECT_GT(dropped_, 0u);
  for (std::size_t i = 1; i < seqs_.size(); ++i) EXPECT_EQ(seqs_[i], seqs_[i - 1] + 1);
}

TEST_F(LinkTest, NonsenseClosesTheConnection) {
  Listen();
  int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
  bool closed = false;
  for (int i = 0; i < 10 && !closed; ++i) {
    auto batches = listener_->Poll(Millis(20));
    ASSERT_TRUE(batches.ok());
    for (auto& batch : *batches) closed = closed || batch.closed;
  }
  EXPECT_TRUE(closed);
  char byte = 0;
  EXPECT_LE(::recv(fd, &byte, 1, 0), 0);
  ::close(fd);
}

TEST_F(LinkTest, WakeEndsAPoll) {
  Listen();
  listener_->Wake();
  auto batches = listener_->Poll(Millis(60000));
  ASSERT_TRUE(batches.ok());
  EXPECT_TRUE(batches->empty());
}

}  // namespace
}  // namespace fleetward::bus
