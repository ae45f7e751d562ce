#include "fleetward/alarms/verification.h"

#include <vector>

#include "fleetward/base/encoding.h"

namespace fleetward::alarms {
namespace {

constexpr store::Table kVerifications{"violation_verifications", true};
constexpr auto kKept = std::chrono::hours(24 * 31);

Result<Verification> Decode(std::string_view bytes, Timestamp* at = nullptr) {
  ByteReader r(bytes);
  std::uint8_t state = r.U8();
  Timestamp time = FromMillis(r.SignedVarint());
  Verification v;
  v.description = r.Bytes();
  if (!r.ok() || state > static_cast<std::uint8_t>(model::VerificationState::kFalsePositive)) {
    return Error(Code::kCorrupt, "a stored verification cannot be read");
  }
  v.state = static_cast<model::VerificationState>(state);
  if (at != nullptr) *at = time;
  return v;
}

}  // namespace

Status VerificationBook::Put(std::string_view actor, const model::ViolationId& id, const Verification& verification) {
  std::string row;
  ByteWriter w(row);
  w.U8(static_cast<std::uint8_t>(verification.state));
  w.SignedVarint(ToMillis(clock_.Now()));
  w.Bytes(verification.description);
  return store_.Write(actor, [&](store::Transaction& tx) { return tx.Put(kVerifications, id.Bytes(), row); });
}

Verification VerificationBook::Get(const model::ViolationId& id) const {
  auto found = store::ReadFor<Verification>(store_, [&](const store::Reader& reader) -> Result<Verification> {
    FW_ASSIGN(auto row, reader.Get(kVerifications, id.Bytes()));
    if (!row) return Verification{};
    return Decode(*row);
  });
  return found.ok() ? std::move(*found) : Verification{};
}

Status VerificationBook::Expire() {
  return store_.Write([&](store::Transaction& tx) -> Status {
    std::vector<std::string> old;
    Timestamp horizon = clock_.Now() - kKept;
    FW_TRY(tx.Scan(kVerifications, "", "", [&](std::string_view key, std::string_view value) {
      Timestamp at{};
      if (!Decode(value, &at).ok() || at < horizon) old.emplace_back(key);
      return true;
    }));
    for (const std::string& key : old) FW_TRY(tx.Erase(kVerifications, key));
    return {};
  });
}

}  // namespace fleetward::alarms
