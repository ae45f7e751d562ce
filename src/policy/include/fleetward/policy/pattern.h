// The wildcard matcher (threats.md s): `*` any run of characters, `?` one character, everything else literal.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fleetward::policy {

enum class CaseRule : std::uint8_t { kExact, kIgnore };

struct Piece {
  enum class Kind : std::uint8_t { kLiteral, kAnyOne, kStar };
  Kind kind = Kind::kLiteral;
  std::string_view text;  // kLiteral
};

/// A pattern as pieces. Patterns of up to kInline pieces need no allocation.
class PieceList {
 public:
  void Add(Piece piece) {
    if (size_ < kInline) {
      inline_[size_] = piece;
    } else {
      if (overflow_.empty()) overflow_.assign(inline_.begin(), inline_.end());
      overflow_.push_back(piece);
    }
    ++size_;
  }
  void AddLiteral(std::string_view text) {
    if (!text.empty()) Add({Piece::Kind::kLiteral, text});
  }
  const Piece* begin() const { return overflow_.empty() ? inline_.data() : overflow_.data(); }
  const Piece* end() const { return begin() + size_; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kInline = 24;
  std::array<Piece, kInline> inline_;
  std::vector<Piece> overflow_;
  std::size_t size_ = 0;
};

/// Splits plain glob text (no variables) into pieces that view it.
void AppendGlob(std::string_view glob, PieceList& pieces);

/// Whether the pieces match the whole text. Each run between stars is placed at its leftmost position and never
/// moved again; so there is no backtracking over stars. A run that is one literal is found in linear time; a run
/// with `?` inside costs at most its length times the text it is moved over.
bool MatchPieces(const PieceList& pieces, std::string_view text, CaseRule rule = CaseRule::kExact);

/// ASCII letters only.
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

}  // namespace fleetward::policy
