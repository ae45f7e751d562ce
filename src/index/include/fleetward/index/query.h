// The query language of the fleet index (developer guide, "Query syntax"): terms, phrases, wildcards, ranges
// and comparisons on fields, joined by AND (also by nothing), OR, NOT, `-` and parentheses. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/policy/pattern.h"

namespace fleetward::index {

inline constexpr std::size_t kMaxQueryBytes = 1000;
inline constexpr std::size_t kMaxQueryTerms = 12;
inline constexpr std::size_t kMaxLeadingWildcardBytes = 100;  // a query that holds a term such as *x

/// What a term's value must look like. Letters' case does not count.
class ValuePattern {
 public:
  void AddLiteral(char c);
  void AddStar();
  void AddAnyOne();

  /// The pattern is plain text.
  bool exact() const {
    return pieces_.empty() || (pieces_.size() == 1 && pieces_[0].first == Kind::kLiteral);
  }
  /// `*` alone: any value at all.
  bool any() const { return pieces_.size() == 1 && pieces_[0].first == Kind::kStar; }
  bool leads_with_wildcard() const { return !pieces_.empty() && pieces_[0].first != Kind::kLiteral; }
  /// The plain text before the first wildcard.
  std::string_view prefix() const;
  bool Matches(std::string_view value) const;
  bool operator==(const ValuePattern&) const = default;

 private:
  using Kind = policy::Piece::Kind;
  std::vector<std::pair<Kind, std::string>> pieces_;
};

/// One end of a range. Absent: unbounded.
struct Bound {
  std::string text;
  std::optional<double> number;  // when the text is one, and was not quoted
  bool inclusive = true;
};

struct Query {
  enum class Kind : std::uint8_t { kTerm, kRange, kAnd, kOr, kNot };

  Kind kind = Kind::kTerm;
  std::string field{};                 // of terms and ranges; empty: every field
  ValuePattern pattern{};              // kTerm
  std::optional<Bound> low{}, high{};  // kRange
  std::vector<Query> operands{};       // kAnd, kOr; one of kNot

  /// A range over numbers: it has an end, and no end is text.
  bool numeric() const { return (low || high) && (!low || low->number) && (!high || high->number); }
};

/// Errors: kInvalidQuery, with what was expected and where.
Result<Query> ParseQuery(std::string_view text);

/// The number that a value is as a whole ("75", "-1.5e3"); nothing for other text, infinities and NaN.
std::optional<double> NumberOf(std::string_view text);

}  // namespace fleetward::index
