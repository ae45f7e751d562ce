#include "fleetward/base/id_table.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>

namespace fleetward {
namespace {

struct Object {
  Id128 entity;
};

TEST(IdTable, AgreesWithAMapUnderInsertsMovesAndErasures) {
  IdTable<Object> table;
  std::map<Id128, std::unique_ptr<Object>> known;
  std::uint64_t random = 88172645463325252ULL;
  auto next = [&] {
    random ^= random << 13;
    random ^= random >> 7;
    return random ^= random << 17;
  };
  for (int step = 0; step < 50'000; ++step) {
    Id128 id{next() % 40, next() % 40};   // so few that ids come again
    table.Prefetch(id);
    auto at = known.find(id);
    if (at == known.end()) {
      ASSERT_EQ(table.Find(id), nullptr);
      ASSERT_EQ(table.FindByHash(id), nullptr);
      at = known.emplace(id, std::make_unique<Object>(Object{id})).first;
      table.Insert(at->second.get());
    } else if (next() % 3 == 0) {
      auto moved = std::make_unique<Object>(Object{id});
      table.Replace(at->second.get(), moved.get());
      at->second = std::move(moved);
    } else {
      table.Erase(at->second.get());
      known.erase(at);
    }
    ASSERT_EQ(table.size(), known.size());
    if (step % 1000 != 0) continue;
    for (const auto& [key, object] : known) ASSERT_EQ(table.Find(key), object.get());
  }
}

}  // namespace
}  // namespace fleetward
