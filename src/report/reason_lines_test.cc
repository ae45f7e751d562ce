#include "fleetward/report/reason_lines.h"

#include <gtest/gtest.h>

namespace fleetward::report {
namespace {

struct Case {
  const char* line;
  const char* client_id;
  DisconnectReason reason;
};

TEST(ReasonLinesTest, LinesOfTheBroker) {
  const Case cases[] = {
      {"1700000000: Client a disconnected.", "a", DisconnectReason::kClientInitiated},
      {"1700000000: Client a closed its connection.", "a", DisconnectReason::kConnectionLost},
      {"1700000000: Client a has exceeded timeout, disconnecting.", "a", DisconnectReason::kKeepAliveTimeout},
      {"1: Client a already connected, closing old connection.\n", "a", DisconnectReason::kDuplicateClientId},
      {"1: Client a been disconnected by administrative action.", "a", DisconnectReason::kApiInitiated},
      {"1: Client a disconnected, not authorised.", "a", DisconnectReason::kAuthError},
      {"1: Client a disconnected due to protocol error.", "a", DisconnectReason::kClientError},
      {"1: Client a disconnected due to oversize packet.", "a", DisconnectReason::kClientError},
      {"1: Client a disconnected: Connection reset by peer.", "a", DisconnectReason::kConnectionLost},
      {"1: Bad socket read/write on client a: Invalid arguments provided.", "a", DisconnectReason::kConnectionLost},
  };
  for (const Case& c : cases) {
    auto parsed = ParseReasonLine(c.line);
    ASSERT_TRUE(parsed.has_value()) << c.line;
    EXPECT_EQ(parsed->client_id, c.client_id) << c.line;
    EXPECT_EQ(parsed->reason, c.reason) << c.line;
  }
}

TEST(ReasonLinesTest, AClientIdThatLooksLikeALineDecidesNothing) {
  auto parsed = ParseReasonLine("1: Client x closed its connection. disconnected.");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->client_id, "x closed its connection.");
  EXPECT_EQ(parsed->reason, DisconnectReason::kClientInitiated);
}

TEST(ReasonLinesTest, OtherLines) {
  for (const char* line : {"", "x", "1: ", "1: Client ", "1: New connection from 127.0.0.1:1 on port 2.",
                           "Client a disconnected.", "1: Client  disconnected", "1: OpenSSL Error[0]: x"}) {
    EXPECT_FALSE(ParseReasonLine(line).has_value()) << line;
  }
}

TEST(ReasonLinesTest, DatagramsSurviveAndTruncatedOnesEnd) {
  std::string datagram;
  AppendReason("a", DisconnectReason::kAuthError, datagram);
  AppendReason("bc", DisconnectReason::kClientError, datagram);
  AppendReason(std::string(300, 'x'), DisconnectReason::kClientError, datagram);
  std::string seen;
  ForEachReason(datagram, [&](std::string_view id, DisconnectReason r) {
    seen += std::string(id) + "=" + std::string(DisconnectReasonName(r)) + ";";
  });
  EXPECT_EQ(seen, "a=AUTH_ERROR;bc=CLIENT_ERROR;");
  for (std::size_t i = 0; i < datagram.size(); ++i) {
    ForEachReason(std::string_view(datagram).substr(0, i), [](std::string_view, DisconnectReason) {});
  }
}

}  // namespace
}  // namespace fleetward::report
