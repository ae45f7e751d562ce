#include "csv.h"

#include <gtest/gtest.h>

namespace fleetward::app {
namespace {

using Rows = std::vector<std::vector<std::string>>;

// In pieces of `size` bytes, so that every border is met.
Rows Read(std::string_view text, std::size_t size, std::string* fault = nullptr) {
  Rows rows;
  CsvReader reader([&](const std::vector<std::string>& fields, std::size_t) {
    rows.push_back(fields);
    return Status();
  });
  Status done;
  for (std::size_t at = 0; at < text.size() && done.ok(); at += size) done = reader.Feed(text.substr(at, size));
  if (done.ok()) done = reader.Finish();
  if (fault) *fault = done.ok() ? "" : done.error().message();
  return rows;
}

TEST(Csv, RowsAndQuotes) {
  std::string_view text = "a,b,c\r\n\n1,\"x,\"\"y\"\"\nz\",\r\n\"\",,\"q\"";
  for (std::size_t size = 1; size < text.size(); ++size) {
    EXPECT_EQ(Read(text, size), (Rows{{"a", "b", "c"}, {"1", "x,\"y\"\nz", ""}, {"", "", "q"}})) << size;
  }
}

TEST(Csv, FaultsNameTheLine) {
  std::string fault;
  Read("a\nb\"c\n", 3, &fault);
  EXPECT_EQ(fault, "line 2: a quote inside of a field that is not quoted");
  Read("\"a\"b", 1, &fault);
  EXPECT_EQ(fault, "line 1: text behind a closing quote");
  Read("a\n\"b\n", 2, &fault);
  EXPECT_EQ(fault, "line 3: a quote is open at the end of the file");
  Read("a\rb", 2, &fault);
  EXPECT_EQ(fault, "line 1: a carriage return inside of a row");
  Read(std::string(kMaxCsvRowBytes + 1, 'a'), 4096, &fault);
  EXPECT_EQ(fault, "line 1: the row is too long");
}

}  // namespace
}  // namespace fleetward::app
