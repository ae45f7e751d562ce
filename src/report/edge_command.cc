#include "fleetward/report/edge_command.h"

#include "fleetward/base/encoding.h"

namespace fleetward::report {

std::string EncodeEdgeCommand(const EdgeCommand& command) {
  std::string payload;
  ByteWriter w(payload);
  w.U8(static_cast<std::uint8_t>(command.kind));
  if (command.kind == EdgeCommandKind::kDelta) w.Raw(command.delta);
  if (command.kind == EdgeCommandKind::kPublish) w.Raw(command.messages);
  if (command.kind == EdgeCommandKind::kDeleteConnection) w.U64(command.request);
  if (command.kind == EdgeCommandKind::kDisconnectClient || command.kind == EdgeCommandKind::kDeleteConnection) {
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
    case static_cast<std::uint8_t>(EdgeCommandKind::kDeleteConnection): command.request = r.U64(); [[fallthrough]];
    case static_cast<std::uint8_t>(EdgeCommandKind::kDisconnectClient):
      command.send_will = r.U8() != 0;
      command.client_id = r.Bytes();
      break;
    case static_cast<std::uint8_t>(EdgeCommandKind::kPublish): command.messages = r.Raw(r.remaining()); break;
    default: return Error(Code::kInvalidArgument, "unknown edge command " + std::to_string(kind));
  }
  if (!r.ok()) return Error(Code::kCorrupt, "truncated edge command");
  command.kind = static_cast<EdgeCommandKind>(kind);
  return command;
}

void AppendPublication(const Publication& publication, std::string& messages) {
  ByteWriter w(messages);
  w.Bytes(publication.topic);
  w.Bytes(publication.payload);
}

Result<std::optional<Publication>> NextPublication(std::string_view& messages) {
  if (messages.empty()) return std::optional<Publication>();
  ByteReader r(messages);
  Publication publication;
  publication.topic = r.Bytes();
  publication.payload = r.Bytes();
  if (!r.ok()) return Error(Code::kCorrupt, "truncated publication");
  messages.remove_prefix(messages.size() - r.remaining());
  constexpr std::string_view kForbidden("+#\0", 3);
  if (publication.topic.empty() || publication.topic.find_first_of(kForbidden) != std::string_view::npos) {
    return Error(Code::kInvalidArgument, "not a topic to publish to");
  }
  return std::optional(publication);
}

}  // namespace fleetward::report
