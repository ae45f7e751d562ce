#include "fleetward/telemetry/connection_history.h"

#include <cstring>

#include "fleetward/base/encoding.h"
#include "fleetward/telemetry/layout.h"
#include "keys.h"

namespace fleetward::telemetry {
namespace {

constexpr std::uint8_t kVersion = 1;
enum Bits : std::uint8_t { kHexCertificate = 1, kHasAddress = 2, kV4 = 4, kHasStart = 8 };

std::string Encode(const ConnectionEvent& event) {
  std::string row;
  ByteWriter w(row);
  auto raw = HexDecode(event.certificate_id);
  bool hex = raw && HexEncode(*raw) == event.certificate_id;
  bool start = event.connected_at != Timestamp{};
  std::uint8_t bits = 0;
  if (hex) bits |= kHexCertificate;
  if (event.address) bits |= kHasAddress;
  if (event.address && event.address->IsV4()) bits |= kV4;
  if (start) bits |= kHasStart;
  w.U8(kVersion);
  w.U8(static_cast<std::uint8_t>(event.type));
  w.U8(bits);
  w.Bytes(hex ? *raw : event.certificate_id);
  w.Bytes(event.client_id);
  if (event.address) {
    std::string_view bytes(reinterpret_cast<const char*>(event.address->bytes.data()), 16);
    w.Raw(bits & kV4 ? bytes.substr(12) : bytes);
    w.U16(event.port);
  }
  w.Bytes(event.reason);
  if (start) w.SignedVarint(ToMillis(event.time) - ToMillis(event.connected_at));
  return row;
}

bool Decode(std::string_view row, ConnectionEvent& event) {
  ByteReader in(row);
  if (in.U8() != kVersion) return false;
  std::uint8_t type = in.U8(), bits = in.U8();
  if (type > static_cast<std::uint8_t>(ConnectionEventType::kRefused)) return false;
  event.type = static_cast<ConnectionEventType>(type);
  std::string_view certificate = in.Bytes();
  event.certificate_id = bits & kHexCertificate ? HexEncode(certificate) : std::string(certificate);
  event.client_id = in.Bytes();
  event.address.reset();
  event.port = 0;
  if (bits & kHasAddress) {
    std::string_view bytes = in.Raw(bits & kV4 ? 4 : 16);
    if (!in.ok()) return false;
    event.address.emplace();
    if (bits & kV4) event.address->bytes[10] = event.address->bytes[11] = 0xff;
    std::memcpy(event.address->bytes.data() + (bits & kV4 ? 12 : 0), bytes.data(), bytes.size());
    event.port = in.U16();
  }
  event.reason = in.Bytes();
  event.connected_at = bits & kHasStart ? FromMillis(ToMillis(event.time) - in.SignedVarint()) : Timestamp{};
  return in.ok() && in.AtEnd();
}

}  // namespace

void PutConnectionEvent(store::Batch& batch, const ConnectionEvent& event, store::LogPosition position,
                        std::uint32_t ordinal) {
  std::string key = ThingKey(DayOf(event.time), event.entity);
  PutBigEndian(key, static_cast<std::uint64_t>(ToMillis(event.time)), 8);
  PutBigEndian(key, position, 8);
  PutBigEndian(key, ordinal, 4);
  batch.Put(kFamilyConnections, key, Encode(event));
}

Status ScanConnections(const store::BlockStore& store, const std::optional<model::EntityId>& entity, Timestamp start,
                       Timestamp end, const std::function<bool(const ConnectionEvent&)>& fn) {
  if (start > end) return {};
  auto view = store.NewView();
  auto cursor = view->NewCursor(kFamilyConnections);
  ConnectionEvent event;
  for (std::uint32_t day = DayOf(start); day <= DayOf(end); ++day) {
    std::string prefix = entity ? ThingKey(day, *entity) : TimeKey(day), from = prefix;
    if (entity) PutBigEndian(from, static_cast<std::uint64_t>(std::max<std::int64_t>(0, ToMillis(start))), 8);
    for (cursor->Seek(from); cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next()) {
      std::string_view key = cursor->key();
      if (key.size() != 40) return Error(Code::kCorrupt, "a connection row makes no sense");
      event.entity = {GetBigEndian(key.substr(4, 8)), GetBigEndian(key.substr(12, 8))};
      event.time = FromMillis(static_cast<std::int64_t>(GetBigEndian(key.substr(20, 8))));
      if (event.time < start || event.time > end) continue;
      if (!Decode(cursor->value(), event)) return Error(Code::kCorrupt, "a connection row makes no sense");
      if (!fn(event)) return {};
    }
    FW_TRY(cursor->status());
  }
  return {};
}

}  // namespace fleetward::telemetry
