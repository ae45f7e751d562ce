#include "fleetward/report/edge_command.h"

#include "fleetward/base/encoding.h"

namespace fleetward::report {

std::string EncodeEdgeCommand(const EdgeCommand& command) {
  std::string payload;
  ByteWriter w(payload);
  w.U8(static_cast<std::uint8_t>(command.kind));
  if (command.kind == EdgeCommandKind::kDelta) w.Raw(command.delta);
  if (command.kind == EdgeCommandKind::kDisconnectClient) {
    w.U8(command.send_will ? 1 : 0);
    w.Bytes(command.client_id);
  }
  return payload;
}

Result<EdgeCommand> DecodeEdgeCommand(std::string_view payload) {
  ByteReader r(payload);
  EdgeCommand command;
  std::uint8_t kind = r.U8();
  switch (kind) {
    case static_cast<std::uint8_t>(EdgeCommandKind::kLoadSnapshot): break;
    case static_cast<std::uint8_t>(EdgeCommandKind::kDelta): command.delta = r.Raw(r.remaining()); break;
    case static_cast<std::uint8_t>(EdgeCommandKind::kDisconnectClient):
      command.send_will = r.U8() != 0;
      command.client_id = r.Bytes();
      break;
    default: return Error(Code::kInvalidArgument, "unknown edge command " + std::to_string(kind));
  }
  if (!r.ok()) return Error(Code::kCorrupt, "truncated edge command");
  command.kind = static_cast<EdgeCommandKind>(kind);
  return command;
}

}  // namespace fleetward::report
