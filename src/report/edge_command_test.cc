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

TEST(EdgeCommandTest, NonsenseIsAnError) {
  EXPECT_FALSE(DecodeEdgeCommand("").ok());
  EXPECT_FALSE(DecodeEdgeCommand("\x63").ok());
  EXPECT_FALSE(DecodeEdgeCommand(std::string_view("\x03\x01\x7f" "abc", 6)).ok());
}

}  // namespace
}  // namespace fleetward::report
