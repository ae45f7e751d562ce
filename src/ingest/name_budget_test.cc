#include "name_budget.h"

#include <gtest/gtest.h>

namespace fleetward::ingest {
namespace {

TEST(NameBudgetTest, ACertificateHasAThousandNamesADay) {
  NameBudget budget;
  budget.Renew(1);
  std::size_t allowed = 0;
  for (std::uint64_t name = 1; name <= 100'000; ++name) allowed += budget.Allows("bad", {1, name}) ? 1U : 0U;
  EXPECT_EQ(allowed, NameBudget::kNamesPerCertificate);
  EXPECT_TRUE(budget.Allows("bad", {1, 1})) << "known ones stay";
  EXPECT_TRUE(budget.Allows("other", {1, 99'999})) << "others are not touched";
  budget.Renew(NameBudget::kDayMs);
  EXPECT_FALSE(budget.Allows("bad", {1, 100'000}));
  budget.Renew(NameBudget::kDayMs + 1);
  EXPECT_TRUE(budget.Allows("bad", {1, 100'000}));
}

TEST(NameBudgetTest, AClockPutBackDoesNotMakeTheDayLonger) {
  constexpr std::int64_t kYear = 365 * NameBudget::kDayMs;
  NameBudget budget;
  budget.Renew(2 * kYear);
  for (std::uint64_t name = 1; name <= NameBudget::kNamesPerCertificate; ++name) budget.Allows("bad", {1, name});
  budget.Renew(kYear);
  EXPECT_FALSE(budget.Allows("bad", {1, 100'000})) << "nor is it over with that";
  budget.Renew(kYear + NameBudget::kDayMs);
  EXPECT_TRUE(budget.Allows("bad", {1, 100'000}));
}

TEST(NameBudgetTest, ManyCertificatesAreBoundedTogether) {
  NameBudget budget;
  std::size_t allowed = 0;
  for (std::uint64_t certificate = 0; certificate < 300; ++certificate) {
    for (std::uint64_t name = 1; name <= 1000; ++name) {
      allowed += budget.Allows(std::to_string(certificate), {certificate, name}) ? 1U : 0U;
    }
  }
  EXPECT_EQ(allowed, NameBudget::kNames);
}

}  // namespace
}  // namespace fleetward::ingest
