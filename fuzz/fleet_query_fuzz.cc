// Queries of the fleet index: any text is parsed or refused, and what was parsed answers the same by bitmaps as by
// looking at each document.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fleetward/index/collection.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::index;
  static const Collection* const kCollection = [] {
    auto* c = new Collection("thingName");
    c->Put("tv-1", Section::kRegistry, {{"thingTypeName", "Television"}, {"attributes.size", "40"}});
    c->Put("TV-1", Section::kRegistry, {{"attributes.size", "5e1"}, {"attributes.a", "aaaaaaaaaaaaaaaaaaaaaaab"}});
    c->Put("x", Section::kRegistry, {{"description", "in the hall"}});
    c->Put("x", Section::kConnectivity, {{"connectivity.connected", "true"}});
    return c;
  }();
  auto query = ParseQuery({reinterpret_cast<const char*>(data), size});
  if (!query.ok()) return 0;
  std::uint64_t matches = 0;
  for (const char* name : {"tv-1", "TV-1", "x"}) matches += kCollection->Matches(*query, name) ? 1 : 0;
  if (matches != kCollection->CountMatches(*query)) std::abort();
  return 0;
}
