#include "page.h"

#include <gtest/gtest.h>

#include "all_handlers.h"
#include "fleetward/api/iot/things.h"
#include "fleetward/base/file.h"

namespace fleetward::api {
namespace {

std::string FileText(const std::string& path) {
  auto text = ReadFile(std::string(FLEETWARD_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(text.ok()) << path;
  return text.ok() ? *text : "";
}

TEST(WirePage, CommittedPageIsWhatTheHandlersSay) {
  auto remarks = ParseWireRemarks(FileText("src/api/compatibility/remarks.md"));
  ASSERT_TRUE(remarks.ok()) << remarks.error().ToString();
  AllHandlers handlers;
  auto page = WirePage(*remarks, [&](const OperationInfo& operation) { return handlers.router().Handles(operation); });
  ASSERT_TRUE(page.ok()) << page.error().ToString();
  EXPECT_TRUE(*page == FileText("docs/wire-compatibility.md"))
      << "run: build/dev/bin/wirecompat src/api/compatibility/remarks.md >docs/wire-compatibility.md";
}

TEST(WirePage, WorksDiffersAndMissingAreToldApart) {
  auto remarks = ParseWireRemarks("# Top\n\n<!-- operations -->\niot:CreateThing: differs: a\n\niot:ListThings: note: b\n");
  ASSERT_TRUE(remarks.ok()) << remarks.error().ToString();
  auto page = WirePage(*remarks, [](const OperationInfo& operation) {
    return operation.name == "CreateThing" || operation.name == "ListThings" || operation.name == "DeleteThing";
  });
  ASSERT_TRUE(page.ok()) << page.error().ToString();
  EXPECT_TRUE(page->starts_with("# Top\n\n## Operations\n\n2 work, 1 differ, ")) << *page;
  for (const char* row : {"\n| CreateThing | differs | a |\n", "\n| ListThings | works | b |\n",
                          "\n| DeleteThing | works | |\n", "\n| UpdateThing | not offered yet | |\n"}) {
    EXPECT_NE(page->find(row), std::string::npos) << row;
  }
}

TEST(WirePage, RemarksThatAreNotTrueAreRefused) {
  for (const char* text : {"no mark", "<!-- operations -->\niot:CreateThing\n", "<!-- operations -->\niot:NoSuch: note: a\n",
                           "<!-- operations -->\niot:CreateThing: maybe: a\n",
                           "<!-- operations -->\niot:ListThings: note: a\niot:ListThings: note: b\n"}) {
    EXPECT_FALSE(ParseWireRemarks(text).ok()) << text;
  }
  auto remarks = ParseWireRemarks("<!-- operations -->\niot:CreateThing: note: a\n");
  ASSERT_TRUE(remarks.ok());
  EXPECT_FALSE(WirePage(*remarks, [](const OperationInfo&) { return false; }).ok());
}

}  // namespace
}  // namespace fleetward::api
