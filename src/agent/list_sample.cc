#include "list_sample.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace fleetward::agent {
namespace {

std::uint64_t Mix(std::uint64_t value) {
  // SplitMix64's finalizer (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

}  // namespace

std::uint64_t ListSampler::Next() { return Mix(state_ += 0x9e3779b97f4a7c15ULL); }

template <class Value>
void ListSampler::Pick(std::vector<Value>& values, std::size_t limit) {
  if (values.size() <= limit) return;
  for (std::size_t i = 0; i < limit; ++i) {
    std::swap(values[i], values[i + Next() % (values.size() - i)]);
  }
  values.resize(limit);
}

void ListSampler::Ports(std::vector<std::uint16_t>& ports, std::size_t limit) {
  if (ports.size() <= limit) return;
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  Pick(ports, limit);
}

void ListSampler::Connections(std::vector<report::RemoteEndpoint>& connections, std::size_t limit) {
  if (connections.size() <= limit) return;
  // The seed makes the places of addresses unforeseeable, so nobody can choose addresses that collide.
  std::uint64_t seed = Next();
  slots_.assign(std::bit_ceil(connections.size() * 2), 0);
  std::size_t mask = slots_.size() - 1;
  std::size_t kept = 0;
  for (const report::RemoteEndpoint& connection : connections) {
    std::uint64_t words[2];
    std::memcpy(words, connection.address.bytes.data(), sizeof words);
    std::size_t at = Mix(words[0] ^ Mix(words[1] ^ seed)) & mask;
    while (slots_[at] != 0 && connections[slots_[at] - 1].address != connection.address) at = (at + 1) & mask;
    if (slots_[at] != 0) continue;
    connections[kept] = connection;
    slots_[at] = static_cast<std::uint32_t>(++kept);
  }
  connections.resize(kept);
  Pick(connections, limit);
}

}  // namespace fleetward::agent
