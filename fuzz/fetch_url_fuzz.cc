// URLs that callers give (threats.md p): one that is accepted names http or https, a port, and no address that is not
// visited.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fleetward/fetch/fetcher.h"

using namespace fleetward::fetch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Fetcher fetcher{FetchRules()};
  std::string_view url(reinterpret_cast<const char*>(data), size);
  auto target = fetcher.Check(url);
  if (!target.ok()) return 0;
  if (target->port == 0 || target->host.empty() || url.size() > 2048) std::abort();
  if (url.find_first_of("\r\n \t") != std::string_view::npos) std::abort();
  auto address = ParseAddress(target->host);
  if (!address) return 0;
  AddressClass is = ClassOf(*address);
  if (is == AddressClass::kLoopback || is == AddressClass::kForbidden) std::abort();
  return 0;
}
