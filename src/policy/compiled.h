// The compiled form of policies: one description for the writer (document.cc) and the reader (evaluate.cc).
//
//   body       u8 format, u8 flags, varint statements, { bytes statement }
//   statement  u8 effect, u32 action mask, bytes sid, varint resources, { bytes text }, varint conditions,
//              { bytes condition }
//   condition  u8 operator, u8 modifiers, variable key, varint values, { bytes value }
//   text       { u8 op, [bytes literal | variable] }
//   variable   u8 kind, u8 code, u8 index, bytes name
//   value      text (String*), 6 × bytes text or one (Arn*), f64, i64 as u64 (milliseconds), 16 address bytes and
//              u8 prefix length, u8 (Bool, Null), or raw bytes (Binary)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/encoding.h"
#include "fleetward/base/result.h"
#include "fleetward/policy/pattern.h"
#include "variables.h"

namespace fleetward::policy {

inline constexpr std::uint8_t kBodyFormat = 1;
inline constexpr std::uint8_t kBodyDependsOnTime = 1;

enum class Effect : std::uint8_t { kAllow = 0, kDeny = 1 };

/// Values are stored: never change them.
enum class TextOp : std::uint8_t { kLiteral = 0, kAnyOne = 1, kStar = 2, kVariable = 3 };

/// Families of condition operators; stored.
enum class OperatorFamily : std::uint8_t {
  kString = 0, kStringIgnoreCase = 1, kStringLike = 2, kArn = 3, kNumeric = 4, kDate = 5, kIp = 6, kBool = 7, kNull = 8,
  kBinary = 9,
};
/// Relations; stored. kEquals for families without order.
enum class Relation : std::uint8_t { kEquals = 0, kLess = 1, kLessEquals = 2, kGreater = 3, kGreaterEquals = 4 };

inline constexpr std::uint8_t kIfExists = 1;
inline constexpr std::uint8_t kForAllValues = 2;
inline constexpr std::uint8_t kForAnyValue = 4;
inline constexpr std::uint8_t kNegated = 8;

struct ConditionOperator {
  OperatorFamily family = OperatorFamily::kString;
  Relation relation = Relation::kEquals;
  std::uint8_t modifiers = 0;

  std::uint8_t Byte() const {
    return static_cast<std::uint8_t>(static_cast<unsigned>(family) | static_cast<unsigned>(relation) << 4);
  }
  static ConditionOperator Of(std::uint8_t byte, std::uint8_t modifiers) {
    return {static_cast<OperatorFamily>(byte & 15), static_cast<Relation>(byte >> 4), modifiers};
  }
};

/// "ForAnyValue:StringEqualsIfExists"; nothing for names that are no operator. Case-sensitive, as the service.
std::optional<ConditionOperator> ParseConditionOperator(std::string_view name);

struct TextRules {
  bool wildcards = true;   // `*` and `?` are wildcards
  bool variables = true;   // ${…} is a variable (Version 2012-10-17)
};
/// Appends compiled text. Error: kMalformedPolicy with a message about the text alone.
Status CompileText(std::string_view text, const TextRules& rules, std::string& out);

/// Splits at the first five colons that are outside of ${…}; fewer parts when there are fewer colons.
std::vector<std::string_view> SplitArn(std::string_view arn);

/// Reads compiled text into pieces. `unresolved` variables end it with false unless `keep_unresolved`, which leaves
/// them as text. Names of unresolved variables are given to `missing`, if there is one. Sets `damaged`.
class TextReader {
 public:
  VariableSource& source;
  bool in_topic_filter = false;
  bool keep_unresolved = false;
  std::vector<std::string>* missing = nullptr;
  bool damaged = false;

  bool Read(std::string_view text, PieceList& pieces);
};

}  // namespace fleetward::policy
