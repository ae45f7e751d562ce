// The plugin's clients by the broker's pointer. Every packet asks it, and between two packets of one client the broker
// has touched the memory of hundreds of others: so a look-up costs one line of memory, and the client's own lines are
// on their way when it returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "client.h"

namespace fleetward::plugin {

/// Open addressing with the clients' addresses in the table. One thread.
class ClientTable {
 public:
  ClientTable() : slots_(kLeastSlots) {}

  /// Null when there is none.
  Client* Find(const void* key) const {
    for (std::size_t i = Home(key); slots_[i].client; i = Next(i)) {
      if (slots_[i].key != key) continue;
      Client* client = slots_[i].client.get();
      client->Prefetch();
      return client;
    }
    return nullptr;
  }

  /// Under its own key, which must be free.
  void Insert(std::unique_ptr<Client> client) {
    if ((size_ + 1) * 2 > slots_.size()) Grow();
    Place(std::move(client));
    ++size_;
  }

  void Erase(const void* key) {
    std::size_t hole = Home(key);
    while (slots_[hole].client && slots_[hole].key != key) hole = Next(hole);
    if (!slots_[hole].client) return;
    slots_[hole] = {};
    --size_;
    // What follows moves up, so that no search ends at the hole before it.
    for (std::size_t i = Next(hole); slots_[i].client; i = Next(i)) {
      std::size_t from_home = (i - Home(slots_[i].key)) & (slots_.size() - 1);
      std::size_t from_hole = (i - hole) & (slots_.size() - 1);
      if (from_home < from_hole) continue;
      slots_[hole] = std::exchange(slots_[i], {});
      hole = i;
    }
  }

  /// f(Client&) for each; it must not insert or erase.
  template <class F>
  void ForEach(F&& f) const {
    for (const Slot& slot : slots_) {
      if (slot.client) f(*slot.client);
    }
  }

  std::size_t size() const { return size_; }

 private:
  struct Slot {
    const void* key = nullptr;
    std::unique_ptr<Client> client;
  };
  static constexpr std::size_t kLeastSlots = 64;

  std::size_t Home(const void* key) const {
    // The low bits of an address are the allocator's alignment.
    std::uint64_t mixed = (reinterpret_cast<std::uintptr_t>(key) >> 4) * 0x9e3779b97f4a7c15ULL;
    return static_cast<std::size_t>(mixed >> 32) & (slots_.size() - 1);
  }
  std::size_t Next(std::size_t i) const { return (i + 1) & (slots_.size() - 1); }
  void Place(std::unique_ptr<Client> client) {
    std::size_t i = Home(client->key);
    while (slots_[i].client) i = Next(i);
    slots_[i].key = client->key;
    slots_[i].client = std::move(client);
  }
  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (Slot& slot : old) {
      if (slot.client) Place(std::move(slot.client));
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace fleetward::plugin
