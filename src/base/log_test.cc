#include "fleetward/base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fleetward {
namespace {

struct LogTest : ::testing::Test {
  std::vector<std::string> lines;
  LogTest() {
    log::SetSink([this](log::Level, std::string_view line) { lines.emplace_back(line); });
  }
  ~LogTest() override { log::SetSink(nullptr); }
};

TEST_F(LogTest, PlainValuesStayAsTheyAre) {
  log::Warning("report-refused", {{"thing", "pump-1"}, {"bytes", 17}, {"late", true}});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0], "warning report-refused thing=pump-1 bytes=17 late=true");
}

// Threat w: a name from outside forges neither a line nor a field, and steers no terminal.
TEST_F(LogTest, NamesCannotForgeLinesOrFields) {
  struct Case {
    const char* name;
    const char* shown;
  };
  const Case cases[] = {
      {"a\nerror all-is-lost", R"("a\x0aerror all-is-lost")"},
      {"a\r\nb", R"("a\x0d\x0ab")"},
      {"a admin=true", R"("a admin=true")"},
      {"a\" admin=\"true", R"("a\" admin=\"true")"},
      {"a\\", R"("a\\")"},
      {"\x1b[2J", R"("\x1b[2J")"},
      {"\x7f", R"("\x7f")"},
      {"", R"("")"},
  };
  for (const Case& each : cases) {
    lines.clear();
    log::Error("refused", {{"thing", each.name}});
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0], std::string("error refused thing=") + each.shown);
  }
  lines.clear();
  log::Error("refused", {{"thing", std::string("a\0b", 3)}});
  EXPECT_EQ(lines.at(0), R"(error refused thing="a\x00b")");
}

}  // namespace
}  // namespace fleetward
