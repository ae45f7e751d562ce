#include "fleetward/alarms/verification.h"

#include <utility>
#include <vector>

#include "fleetward/base/encoding.h"

namespace fleetward::alarms {
namespace {

constexpr store::Table kVerifications{"violation_verifications", true};
constexpr auto kSlack = std::chrono::hours(24);   // an event is not gone before what was said of it

std::string Encode(const Verification& verification, Timestamp at) {
  std::string row;
  ByteWriter w(row);
  w.U8(static_cast<std::uint8_t>(verification.state));
  w.SignedVarint(ToMillis(at));
  w.Bytes(verification.description);
  return row;
}

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
  return store_.Write(actor, [&](store::Transaction& tx) {
    return tx.Put(kVerifications, id.Bytes(), Encode(verification, clock_.Now()));
  });
}

Verification VerificationBook::Get(const model::ViolationId& id) const {
  auto found = store::ReadFor<Verification>(store_, [&](const store::Reader& reader) -> Result<Verification> {
    FW_ASSIGN(auto row, reader.Get(kVerifications, id.Bytes()));
    if (!row) return Verification{};
    return Decode(*row);
  });
  return found.ok() ? std::move(*found) : Verification{};
}

Status VerificationBook::Expire(const std::function<bool(const model::ViolationId&)>& on) {
  return store_.Write([&](store::Transaction& tx) -> Status {
    std::vector<std::string> old;
    std::vector<std::pair<std::string, Verification>> kept;
    const Timestamp now = clock_.Now(), horizon = now - kept_ - kSlack;
    FW_TRY(tx.Scan(kVerifications, "", "", [&](std::string_view key, std::string_view value) {
      Timestamp at{};
      auto verification = Decode(value, &at);
      if (verification.ok() && at >= horizon) return true;
      auto id = Id128::FromBytes(key);
      if (verification.ok() && id && on(*id)) {
        kept.emplace_back(key, std::move(*verification));
      } else {
        old.emplace_back(key);
      }
      return true;
    }));
    for (const std::string& key : old) FW_TRY(tx.Erase(kVerifications, key));
    // The event of such an alarm's end is still to come, and is kept as long as any.
    for (const auto& [key, verification] : kept) FW_TRY(tx.Put(kVerifications, key, Encode(verification, now)));
    return {};
  });
}

}  // namespace fleetward::alarms
