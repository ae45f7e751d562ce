#include "fault_book.h"

#include <gtest/gtest.h>

namespace fleetward::ingest {
namespace {

std::string Texts(const FaultBook& book, const model::EntityId& entity) {
  std::string texts;
  for (const Fault& fault : book.Of(entity)) texts += std::to_string(fault.time_ms) + fault.text + " ";
  return texts;
}

TEST(FaultBookTest, KeepsAThingsLastFiveDifferentFaults) {
  FaultBook book;
  for (std::int64_t at = 1; at <= 7; ++at) book.Add({1, 1}, at, std::string(1, static_cast<char>('a' + at)));
  book.Add({1, 1}, 8, "e");
  EXPECT_EQ(Texts(book, {1, 1}), "3d 5f 6g 7h 8e ");
  EXPECT_EQ(Texts(book, {1, 2}), "");
}

TEST(FaultBookTest, BeyondTheBoundTheThingWhoseLastFaultIsTheOldestGoes) {
  FaultBook book;
  for (std::uint64_t thing = 1; thing <= FaultBook::kMaxThings; ++thing) book.Add({1, thing}, 1, "a");
  book.Add({1, 1}, 2, "b");
  book.Add({2, 1}, 3, "c");
  EXPECT_EQ(Texts(book, {2, 1}), "3c ");
  EXPECT_EQ(Texts(book, {1, 1}), "1a 2b ");
  EXPECT_EQ(Texts(book, {1, 2}), "");
  EXPECT_EQ(Texts(book, {1, 3}), "1a ");
}

}  // namespace
}  // namespace fleetward::ingest
