#include "key_record.h"

#include "fleetward/base/encoding.h"

namespace fleetward::access {

std::string EncodeKeyRecord(const KeyRecord& record) {
  std::string out;
  ByteWriter writer(out);
  writer.U8(2);
  writer.U8(static_cast<std::uint8_t>(record.role));
  writer.U8(record.active ? 1 : 0);
  writer.U64(static_cast<std::uint64_t>(ToMillis(record.created)));
  writer.Bytes(record.description);
  writer.Bytes(record.sealed_secret);
  writer.U64(record.expires ? static_cast<std::uint64_t>(ToMillis(*record.expires)) : 0);
  writer.Varint(record.scope.size());
  for (const std::string& group : record.scope) writer.Bytes(group);
  return out;
}

Result<KeyRecord> DecodeKeyRecord(std::string_view bytes) {
  ByteReader reader(bytes);
  KeyRecord record;
  std::uint8_t version = reader.U8();
  std::uint8_t role = reader.U8();
  record.active = reader.U8() != 0;
  record.created = FromMillis(static_cast<std::int64_t>(reader.U64()));
  record.description = reader.Bytes();
  record.sealed_secret = reader.Bytes();
  if (version == 2) {
    std::uint64_t expires = reader.U64();
    if (expires != 0) record.expires = FromMillis(static_cast<std::int64_t>(expires));
    std::uint64_t groups = reader.Varint();
    for (std::uint64_t i = 0; i < groups && reader.ok(); ++i) record.scope.emplace_back(reader.Bytes());
  }
  if (!reader.ok() || !reader.AtEnd() || version < 1 || version > 2 || role > static_cast<std::uint8_t>(Role::kAdmin)) {
    return Error(Code::kCorrupt, "an access key's record does not make sense");
  }
  record.role = static_cast<Role>(role);
  return record;
}

}  // namespace fleetward::access
