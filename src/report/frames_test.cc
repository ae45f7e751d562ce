#include "fleetward/report/frames.h"

#include <gtest/gtest.h>

namespace fleetward::report {
namespace {

const std::string kPrint(32, '\x5a');

RawFrame One(std::string_view bytes) {
  auto frame = TakeFrame(bytes);
  EXPECT_TRUE(frame.ok() && frame->has_value());
  EXPECT_TRUE(bytes.empty());
  return **frame;
}

TEST(FramesTest, ReportSurvivesTheWireAsViews) {
  ReportFrame in;
  in.event_time_ms = 1234567890123;
  in.format = ReportFormat::kCbor;
  in.flags = ReportFrame::kAnswerSubscribed;
  in.thing = "T";
  in.client_id = "C";
  in.fingerprint = kPrint;
  in.payload = "{}";
  std::string bytes;
  EncodeFrame(7, in, bytes);
  RawFrame raw = One(bytes);
  EXPECT_EQ(raw.type, FrameType::kReport);
  EXPECT_EQ(raw.seq, 7u);
  EXPECT_EQ(raw.whole.size(), bytes.size());
  auto out = DecodeReport(raw.body);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->event_time_ms, in.event_time_ms);
  EXPECT_EQ(out->format, in.format);
  EXPECT_EQ(out->flags, in.flags);
  EXPECT_EQ(out->thing, "T");
  EXPECT_EQ(out->client_id, "C");
  EXPECT_EQ(out->fingerprint, kPrint);
  EXPECT_EQ(out->payload, "{}");
  EXPECT_TRUE(out->payload.data() > bytes.data() && out->payload.data() < bytes.data() + bytes.size());
}

TEST(FramesTest, ReportIsByteExact) {
  ReportFrame in;
  in.event_time_ms = 2;
  in.thing = "t";
  in.client_id = "c";
  in.payload = "p";
  std::string bytes;
  EncodeFrame(1, in, bytes);
  EXPECT_EQ(HexEncode(bytes),
            "3c000000" "03" "00" "0000" "0100000000000000"  // size 60, Report, seq 1
            "0200000000000000" "00" "00" + std::string(64, '0') + "0174" "0163" "0170");
}

TEST(FramesTest, CountersIterate) {
  std::string records;
  CounterRecord record;
  record.client_id = "a";
  record.fingerprint = kPrint;
  record.source_ip = "::1";
  record.messages_sent = 300;
  record.max_payload = 1 << 20;
  record.min_payload = 3;
  record.flags = CounterRecord::kConnected;
  AppendCounter(record, records);
  record.client_id = "b";
  record.dimension = 9;
  AppendCounter(record, records);
  CountersFrame in;
  in.event_time_ms = 400000;
  in.bucket_start_ms = 300000;
  in.bucket_length_ms = 300000;
  in.flags = CountersFrame::kBucketEnd;
  in.count = 2;
  in.records = records;
  std::string bytes;
  EncodeFrame(3, in, bytes);
  auto out = DecodeCounters(One(bytes).body);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->event_time_ms, 400000);
  auto first = NextCounter(*out);
  ASSERT_TRUE(first.ok() && first->has_value());
  EXPECT_EQ((*first)->client_id, "a");
  EXPECT_EQ((*first)->messages_sent, 300u);
  auto second = NextCounter(*out);
  ASSERT_TRUE(second.ok() && second->has_value());
  EXPECT_EQ((*second)->dimension, 9u);
  EXPECT_EQ((*second)->max_payload, 1u << 20);
  auto none = NextCounter(*out);
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
}

TEST(FramesTest, CountBeyondTheRecordsIsCorrupt) {
  CountersFrame frame;
  frame.count = 4000000000u;
  EXPECT_FALSE(NextCounter(frame).ok());
}

TEST(FramesTest, TheOtherKindsSurvive) {
  std::string bytes;
  HelloFrame hello;
  hello.plugin_start = Id128{1, 2};
  hello.next_seq = 5;
  hello.edge_id = "edge";
  EncodeFrame(hello, bytes);
  auto hello_out = DecodeHello(One(bytes).body);
  ASSERT_TRUE(hello_out.ok());
  EXPECT_EQ(hello_out->plugin_start, hello.plugin_start);
  EXPECT_EQ(hello_out->edge_id, "edge");

  bytes.clear();
  ClockFrame clock;
  clock.event_time_ms = 5;
  clock.step_ms = -600000;
  EncodeFrame(1, clock, bytes);
  auto clock_out = DecodeClock(One(bytes).body);
  ASSERT_TRUE(clock_out.ok());
  EXPECT_EQ(clock_out->step_ms, -600000);

  bytes.clear();
  DisconnectedFrame gone;
  gone.reason = DisconnectReason::kKeepAliveTimeout;
  gone.client_id = "c";
  EncodeFrame(2, gone, bytes);
  auto gone_out = DecodeDisconnected(One(bytes).body);
  ASSERT_TRUE(gone_out.ok());
  EXPECT_EQ(DisconnectReasonName(gone_out->reason), "MQTT_KEEP_ALIVE_TIMEOUT");

  bytes.clear();
  UnregisteredFrame shown;
  shown.client_id = "c";
  shown.der = "der";
  EncodeFrame(2, shown, bytes);
  auto shown_out = DecodeUnregistered(One(bytes).body);
  ASSERT_TRUE(shown_out.ok());
  EXPECT_EQ(shown_out->der, "der");

  bytes.clear();
  std::string topics;
  AppendRetained({"a/b", 5, 1, 300, true}, topics);
  AppendRetained({"gone", 6, 0, 0}, topics);
  EncodeFrame(2, RetainedFrame{2, topics}, bytes);
  auto retained = DecodeRetained(One(bytes).body);
  ASSERT_TRUE(retained.ok());
  auto first = NextRetained(*retained).value();
  EXPECT_EQ(first->payload_bytes, 300u);
  EXPECT_EQ(first->qos, 1);
  EXPECT_TRUE(first->may_expire);
  auto second = NextRetained(*retained).value();
  EXPECT_EQ(second->topic, "gone");
  EXPECT_FALSE(second->may_expire);
  EXPECT_FALSE(NextRetained(*retained).value().has_value());

  bytes.clear();
  EncodeFrame(2, DoneFrame{77, true}, bytes);
  auto done = DecodeDone(One(bytes).body);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->request, 77u);
  EXPECT_TRUE(done->found);

  bytes.clear();
  RefusedFrame refused;
  refused.reason = RefusalReason::kDenied;
  refused.topic = "x";
  EncodeFrame(2, refused, bytes);
  auto refused_out = DecodeRefused(One(bytes).body);
  ASSERT_TRUE(refused_out.ok());
  EXPECT_EQ(refused_out->topic, "x");

  bytes.clear();
  std::string entries;
  AppendDropped({"t", 4}, entries);
  DroppedFrame dropped;
  dropped.count = 1;
  dropped.entries = entries;
  EncodeFrame(2, dropped, bytes);
  auto dropped_out = DecodeDropped(One(bytes).body);
  ASSERT_TRUE(dropped_out.ok());
  auto entry = NextDropped(*dropped_out);
  ASSERT_TRUE(entry.ok() && entry->has_value());
  EXPECT_EQ((*entry)->reports, 4u);
}

TEST(FramesTest, PartOfAFrameIsNotYetAFrame) {
  std::string bytes;
  EncodeFrame(AckFrame{9}, bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string_view part(bytes.data(), i);
    auto frame = TakeFrame(part);
    ASSERT_TRUE(frame.ok());
    EXPECT_FALSE(frame->has_value());
    EXPECT_EQ(part.size(), i);
  }
}

TEST(FramesTest, ImpossibleSizesCloseTheStream) {
  for (std::string bytes : {std::string("\xff\xff\xff\xff", 4), std::string("\x01\0\0\0", 4), std::string(4, '\0')}) {
    std::string_view view = bytes;
    EXPECT_FALSE(TakeFrame(view).ok());
  }
}

TEST(FramesTest, TruncatedBodiesAreErrors) {
  ReportFrame in;
  in.thing = "thing";
  in.payload = "payload";
  std::string bytes;
  EncodeFrame(1, in, bytes);
  std::string_view body = One(bytes).body;
  for (std::size_t i = 0; i < body.size(); ++i) EXPECT_FALSE(DecodeReport(body.substr(0, i)).ok()) << i;
}

}  // namespace
}  // namespace fleetward::report
