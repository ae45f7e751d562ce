// Policy variables and condition keys: from their names to their values.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/encoding.h"
#include "fleetward/policy/facts.h"

namespace fleetward::policy {

inline constexpr std::uint8_t kMaxAttributeValues = 5;
inline constexpr std::size_t kMaxAttributeBytes = 1024;

constexpr std::uint8_t AttributeCode(CertificateParty party, CertificateField field) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(party) << 7 | static_cast<unsigned>(field));
}

/// Values are stored in compiled policies: never change them.
enum class VariableKind : std::uint8_t {
  kUnknown = 0,
  kClientId = 1,
  kSourceIp = 2,
  kThingName = 3,
  kThingTypeName = 4,
  kThingAttribute = 5,
  kThingIsAttached = 6,
  kCertificateId = 7,
  kCertificateSerial = 8,
  kCertificateAttribute = 9,
  kAvailableKeys = 10,
  kConnectAttributes = 11,
  kLastWillTopic = 12,
  kCurrentTime = 13,
  kEpochTime = 14,
  kSecureTransport = 15,
};

inline constexpr std::uint8_t kWholeList = 255;

/// A variable's reference. `name` is its text: "iot:ClientId".
struct Variable {
  VariableKind kind = VariableKind::kUnknown;
  std::uint8_t code = 0;    // kCertificateAttribute: AttributeCode
  std::uint8_t index = 0;   // which value, from 0; kWholeList for `.List`
  std::string_view name;
};

/// Names are case-insensitive, thing attribute names are not.
Variable ParseVariable(std::string_view name);
void WriteVariable(const Variable& variable, ByteWriter& writer);
Variable ReadVariable(ByteReader& reader);

/// Looks values up; keeps texts that have to be made.
class VariableSource {
 public:
  explicit VariableSource(const Facts& facts) : facts_(facts) {}

  /// All values of a key; empty when it is unknown. Views are good as long as Facts and this object are.
  void Values(const Variable& variable, std::vector<std::string_view>& values);

  /// The text put in the place of ${…}, or nothing: unknown, a list, or refused. Certificate attributes that hold
  /// one of `* $ + ? #` are refused (cert-policy-variables); in topic filters so is any value with + or #, which
  /// would turn a client id into a wildcard.
  std::optional<std::string_view> Substitute(const Variable& variable, bool in_topic_filter);

 private:
  std::string_view Keep(std::string text);

  const Facts& facts_;
  std::deque<std::string> kept_;  // a deque: growing moves no text
};

}  // namespace fleetward::policy
