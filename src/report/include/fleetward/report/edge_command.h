// Commands of the server to an edge: payloads of MQTT publishes to kControlTopic over the broker's private listener.
// An edge answers with frames (Applied), never on MQTT. Pure codec; docs/frames.md is byte-exact.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::report {

inline constexpr std::string_view kControlTopic = "$CONTROL/fleetward/v1";

/// On the wire: values never change.
enum class EdgeCommandKind : std::uint8_t {
  kLoadSnapshot = 1,     // map the snapshot file again; answered by Applied
  kDelta = 2,            // apply a policy delta; answered by Applied (ok = false: a gap, load the file)
  kDisconnectClient = 3, // close a client's connection
  kPublish = 4,          // publish messages, QoS 0: answers to devices
  kDeleteConnection = 5, // as kDisconnectClient; answered by Done
};

struct EdgeCommand {
  EdgeCommandKind kind = EdgeCommandKind::kLoadSnapshot;
  std::string_view delta;       // kDelta: policy::EncodeDelta
  std::string_view client_id;   // kDisconnectClient, kDeleteConnection
  bool send_will = true;        // the same; false suppresses the last will
  std::string_view messages;    // kPublish: AppendPublication, any number
  std::uint64_t request = 0;    // kDeleteConnection
};

/// One message of a kPublish command.
struct Publication {
  std::string_view topic;
  std::string_view payload;
};
void AppendPublication(const Publication& publication, std::string& messages);
/// Takes the next off the front; nothing at the end. Errors: kCorrupt (truncated), kInvalidArgument (not a topic that
/// can be published to).
Result<std::optional<Publication>> NextPublication(std::string_view& messages);

std::string EncodeEdgeCommand(const EdgeCommand& command);
/// Views into `payload`. Errors: kCorrupt (truncated), kInvalidArgument (unknown kind).
Result<EdgeCommand> DecodeEdgeCommand(std::string_view payload);

}  // namespace fleetward::report
