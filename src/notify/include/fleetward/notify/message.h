// What is published: text, subject, attributes (reference: core.md §9).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "fleetward/base/id128.h"
#include "fleetward/base/result.h"

namespace fleetward::notify {

struct MessageAttribute {
  std::string type;   // "String", "String.Array", "Number", "Binary"
  std::string value;  // the text; of Binary the bytes
  bool operator==(const MessageAttribute&) const = default;
};
using MessageAttributes = std::map<std::string, MessageAttribute>;

struct Message {
  std::string subject;  // may be empty
  std::string body;
  std::map<std::string, std::string> per_protocol;  // MessageStructure=json; holds "default"
  MessageAttributes attributes{};
};

struct Publication {
  std::string topic_arn;
  Id128 message_id;
  Message message;
};

/// Subject, body and attributes together may take this many bytes; so may a batch.
inline constexpr std::size_t kMaxMessageBytes = 256 * 1024;

/// Bytes that count towards the limit.
std::size_t SizeOf(const Message& message);
/// Errors: kInvalidArgument in the service's words; its field "exception" may name ParameterValueInvalid.
Status CheckMessage(const Message& message);

/// {"name":{"Type":…,"Value":…}} as in notifications; Binary as Base64. Empty when there are none.
std::string AttributesJson(const MessageAttributes& attributes);

}  // namespace fleetward::notify
