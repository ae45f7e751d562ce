#include "fleetward/telemetry/gaps.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fleetward::telemetry {
namespace {

constexpr std::int64_t kStart = 1'700'000'000;   // seconds
const model::EntityId kThing{1, 2};

Timestamp At(std::int64_t seconds) { return FromMillis((kStart + seconds) * 1000); }

std::vector<Timestamp> Times(std::initializer_list<std::int64_t> seconds) {
  std::vector<Timestamp> times;
  for (std::int64_t each : seconds) times.push_back(At(each));
  return times;
}

ConnectionEvent Came(std::int64_t at) {
  ConnectionEvent event;
  event.type = ConnectionEventType::kConnect;
  event.entity = kThing;
  event.time = At(at);
  return event;
}
ConnectionEvent Went(std::int64_t at, const char* reason = "CONNECTION_LOST") {
  ConnectionEvent event = Came(at);
  event.type = ConnectionEventType::kDisconnect;
  event.reason = reason;
  return event;
}
ConnectionEvent BrokerStart(std::int64_t at) {
  ConnectionEvent event = Went(at, "BROKER_STARTED");
  event.entity = kEveryThing;
  return event;
}

struct Case {
  std::vector<Timestamp> values, without;
  std::vector<ConnectionEvent> connections;
  bool connected = true;
  std::vector<LostReports> lost;
  Source source = Source::kDevice;
  std::int64_t start = 0, end = 1200;

  std::string Gaps() const {
    GapFacts facts{At(start), At(end), source, values, without, connections, connected, lost};
    std::string text;
    for (const Gap& gap : LabelGaps(facts)) {
      text += std::to_string(ToMillis(gap.start) / 1000 - kStart) + "-" + std::to_string(ToMillis(gap.end) / 1000 - kStart) +
              " " + std::string(GapCauseName(gap.cause)) + " " + std::to_string(gap.missing);
      if (!gap.reason.empty()) text += " " + gap.reason;
      text += "; ";
    }
    return text;
  }
};

const std::vector<Timestamp> kHole = Times({0, 60, 120, 180, 240, 660, 720, 780, 840, 900, 960, 1020, 1080, 1140});

TEST(Gaps, TheIntervalIsTheMedian) {
  EXPECT_EQ(UsualInterval({}), Millis(300'000));
  EXPECT_EQ(UsualInterval(Times({0, 60})), Millis(300'000));
  EXPECT_EQ(UsualInterval(kHole), Millis(60'000));
}

TEST(Gaps, AReportThatWasJustDueWhenTheLinkEndedIsMissedOffline) {
  Case c;
  c.values = kHole;
  c.connections = {Went(301), Came(650)};  // the report of 300 would have been one second late
  EXPECT_EQ(c.Gaps(), "240-660 offline 6 CONNECTION_LOST; ");
  c.connections = {Went(307), Came(650)};  // a tenth of an interval is jitter, more is not
  EXPECT_EQ(c.Gaps(), "240-360 agent stopped 1; 360-660 offline 5 CONNECTION_LOST; ");
}

TEST(Gaps, TwoIntervalsAreNoGap) {
  Case c;
  c.values = Times({0, 60, 120, 240, 300, 360, 420, 480, 612});  // 132 s: a tenth of jitter
  c.end = 700;
  EXPECT_EQ(c.Gaps(), "");
  c.values.back() += Millis(1000);
  EXPECT_EQ(c.Gaps(), "480-613 agent stopped 1; ");
}

TEST(Gaps, WhoWasNotConnectedWasOffline) {
  Case c;
  c.values = kHole;
  c.connections = {Went(250, "MQTT_KEEP_ALIVE_TIMEOUT"), Came(650)};
  EXPECT_EQ(c.Gaps(), "240-660 offline 6 MQTT_KEEP_ALIVE_TIMEOUT; ");
  c.connections = {};
  EXPECT_EQ(c.Gaps(), "240-660 agent stopped 6; ");
  c.connections = {Went(420)};  // so it was there at the beginning
  c.connected = false;
  EXPECT_EQ(c.Gaps(), "240-420 agent stopped 2; 420-660 offline 4 CONNECTION_LOST; ");
  c.connections = {};
  c.connected = false;  // all the time, although it reports: through another's connection
  EXPECT_EQ(c.Gaps(), "240-660 offline 6; ");
}

TEST(Gaps, AGapIsCutWhereTheCauseChanges) {
  Case c;
  c.values = kHole;
  c.connections = {Went(310), Came(500)};
  EXPECT_EQ(c.Gaps(), "240-360 agent stopped 1; 360-540 offline 3 CONNECTION_LOST; 540-660 agent stopped 2; ");
}

TEST(Gaps, AnotherConnectionKeepsAThingOnline) {
  Case c;
  c.values = kHole;
  // The new connection stands before the old one is known to be gone.
  c.connections = {Came(230), Went(235), Came(300), Went(310)};
  EXPECT_EQ(c.Gaps(), "240-660 agent stopped 6; ");
  c.connections = {Came(230), Went(235), Went(250)};
  c.connected = false;
  EXPECT_EQ(c.Gaps(), "240-660 offline 6 CONNECTION_LOST; ");
}

TEST(Gaps, ABrokersStartEndsEveryConnection) {
  Case c;
  c.values = kHole;
  c.connections = {Came(-5), BrokerStart(245), Came(655)};
  c.start = -10;
  EXPECT_EQ(c.Gaps(), "240-660 offline 6 BROKER_STARTED; ");
  c.connections = {Came(-5), Came(-4), BrokerStart(245), Came(655)};
  EXPECT_EQ(c.Gaps(), "240-660 offline 6 BROKER_STARTED; ") << "all of them";
}

TEST(Gaps, LostReportsAreAnOverflow) {
  Case c;
  c.values = kHole;
  c.lost = {{At(670), 6}};
  EXPECT_EQ(c.Gaps(), "240-660 overflow 6; ");
  c.lost = {{At(745), 6}};  // the buffer was half empty only then
  EXPECT_EQ(c.Gaps(), "240-660 overflow 6; ");
  c.lost = {{At(800), 6}};  // of later: the thing reported again, and nothing was missing
  EXPECT_EQ(c.Gaps(), "240-660 agent stopped 6; ");
  c.lost = {{At(200), 6}};  // of before
  EXPECT_EQ(c.Gaps(), "240-660 agent stopped 6; ");
  c.lost = {{At(400), 1}};
  c.connections = {Went(410), Came(500)};
  EXPECT_EQ(c.Gaps(), "240-420 overflow 2; 420-540 offline 2 CONNECTION_LOST; 540-660 agent stopped 2; ");
}

TEST(Gaps, ReportsWithoutTheMetricAreNoSilence) {
  Case c;
  c.values = kHole;
  c.without = Times({300, 360, 420});
  EXPECT_EQ(c.Gaps(), "240-480 not in report 3; 480-660 agent stopped 3; ");
}

TEST(Gaps, TheEndAndTheBeginningCount) {
  Case c;
  c.values = Times({500, 560, 620, 680});
  c.connections = {Came(450), Went(700)};
  c.connected = false;
  EXPECT_EQ(c.Gaps(), "0-500 offline 7; 680-1200 offline 8 CONNECTION_LOST; ");
  c.values = {};
  EXPECT_EQ(c.Gaps(), "0-600 offline 1; 600-900 agent stopped 1; 900-1200 offline 1 CONNECTION_LOST; ") << "every 300 s, as long as nothing is known";
}

TEST(Gaps, TheBrokersCountsAreNotTheAgents) {
  Case c;
  c.source = Source::kCloud;
  c.values = kHole;
  c.lost = {{At(670), 6}};
  EXPECT_EQ(c.Gaps(), "240-660 not watched 6; ");
}

TEST(Gaps, AGapOfYearsCostsLittle) {
  Case c;
  c.values = Times({0, 1, 2, 3});
  c.end = 3'000'000'000;
  EXPECT_EQ(c.Gaps(), "3-3000000000 agent stopped 100000; ");
}

}  // namespace
}  // namespace fleetward::telemetry
