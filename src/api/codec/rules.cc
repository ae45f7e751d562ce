#include "fleetward/api/codec/rules.h"

#include <re2/re2.h>

#include <memory>

namespace fleetward::api::codec {

const void* Pattern::Get() const {
  const void* known = compiled_.load(std::memory_order_acquire);
  if (known) return known;
  RE2::Options options;
  options.set_log_errors(false);
  auto made = std::make_unique<RE2>(re2_, options);
  const void* expected = nullptr;
  // The loser of a race throws its copy away; the winner's lives as long as the process.
  if (!compiled_.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return expected;
  return made.release();
}

bool Pattern::Compiles() const { return static_cast<const RE2*>(Get())->ok(); }

bool Pattern::Matches(std::string_view value) const {
  return RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *static_cast<const RE2*>(Get()));
}

}  // namespace fleetward::api::codec
