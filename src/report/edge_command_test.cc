#include "fleetward/report/edge_command.h"

#include <gtest/gtest.h>

namespace fleetward::report {
namespace {

TEST(EdgeCommandTest, KindsSurvive) {
  EdgeCommand in;
  in.kind = EdgeCommandKind::kDelta;
  in.delta = "delta bytes";
  std::string payload = EncodeEdgeCommand(in);
  EXPECT_EQ(DecodeEdgeCommand(payload).value().delta, "delta bytes");

  in = {};
  in.kind = EdgeCommandKind::kDisconnectClient;
  in.client_id = "device";
  in.send_will = false;
  payload = EncodeEdgeCommand(in);
  EXPECT_EQ(payload, std::string("\x03\x00\x06" "device", 9));
  auto out = DecodeEdgeCommand(payload).value();
  EXPECT_EQ(out.client_id, "device");
  EXPECT_FALSE(out.send_will);

  EXPECT_EQ(DecodeEdgeCommand(EncodeEdgeCommand({})).value().kind, EdgeCommandKind::kLoadSnapshot);
}

TEST(EdgeCommandTest, PublicationsSurviveInOrder) {
  std::string messages;
  AppendPublication({"t/1", "one"}, messages);
  AppendPublication({"t/2", ""}, messages);
  EdgeCommand in;
  in.kind = EdgeCommandKind::kPublish;
  in.messages = messages;
  std::string payload = EncodeEdgeCommand(in);
  EXPECT_EQ(payload, std::string("\x04\x03t/1\x03one\x03t/2\x00", 14));
  std::string_view rest = DecodeEdgeCommand(payload).value().messages;
  auto first = NextPublication(rest).value();
  EXPECT_EQ(first->topic, "t/1");
  EXPECT_EQ(first->payload, "one");
  EXPECT_EQ(NextPublication(rest).value()->topic, "t/2");
  EXPECT_FALSE(NextPublication(rest).value().has_value());
}

TEST(EdgeCommandTest, BadPublicationsAreErrors) {
  for (std::string_view topic : {std::string_view(""), std::string_view("a/+"), std::string_view("#"),
                                 std::string_view("a\0b", 3)}) {
    std::string messages;
    AppendPublication({topic, "x"}, messages);
    std::string_view rest = messages;
    EXPECT_FALSE(NextPublication(rest).ok());
  }
  std::string messages;
  AppendPublication({"topic", "payload"}, messages);
  for (std::size_t size = 1; size < messages.size(); ++size) {
    std::string_view rest = std::string_view(messages).substr(0, size);
    EXPECT_FALSE(NextPublication(rest).ok()) << size;
  }
}

TEST(EdgeCommandTest, NonsenseIsAnError) {
  EXPECT_FALSE(DecodeEdgeCommand("").ok());
  EXPECT_FALSE(DecodeEdgeCommand("\x63").ok());
  EXPECT_FALSE(DecodeEdgeCommand(std::string_view("\x03\x01\x7f" "abc", 6)).ok());
}

}  // namespace
}  // namespace fleetward::report
