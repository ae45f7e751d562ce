#include "fleetward/store/memory_store.h"

#include "conformance/control_store_suite.h"

namespace fleetward::store {
namespace {

struct MemoryFixture {
  ManualClock clock{FromMillis(1'000'000)};
  std::unique_ptr<MemoryDatabase> database = MemoryDatabase::Create(clock);
  std::unique_ptr<ControlStore> Open(std::string account) {
    return database->Account(model::AccountId(std::move(account)));
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, ControlStoreSuite, MemoryFixture);

}  // namespace
}  // namespace fleetward::store
