// wirecompat REMARKS: prints docs/wire-compatibility.md.
#include <cstdio>

#include "all_handlers.h"
#include "fleetward/base/file.h"
#include "page.h"

namespace {

fleetward::Result<std::string> Page(const char* remarks_path) {
  using namespace fleetward;
  FW_ASSIGN(std::string text, ReadFile(remarks_path));
  FW_ASSIGN(api::WireRemarks remarks, api::ParseWireRemarks(text));
  api::AllHandlers handlers;
  return api::WirePage(remarks, [&](const api::OperationInfo& operation) {
    return handlers.router().Handles(operation);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: wirecompat src/api/compatibility/remarks.md >docs/wire-compatibility.md\n");
    return 2;
  }
  auto page = Page(argv[1]);
  if (!page.ok()) {
    std::fprintf(stderr, "%s\n", page.error().ToString().c_str());
    return 1;
  }
  std::fputs(page->c_str(), stdout);
  return 0;
}
