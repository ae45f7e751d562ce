#include "fleetward/policy/pattern.h"

#include <cstring>
#include <optional>

namespace fleetward::policy {
namespace {

using Kind = Piece::Kind;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool SameText(std::string_view a, std::string_view b, CaseRule rule) {
  return rule == CaseRule::kExact ? a == b : EqualsIgnoringCase(a, b);
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// Where the UTF-8 character at `at` ends; malformed bytes count as one character each run of continuations.
std::size_t NextCharacter(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && IsContinuation(text[at])) ++at;
  return at;
}

std::size_t PreviousCharacter(std::string_view text, std::size_t at) {
  --at;
  while (at > 0 && IsContinuation(text[at])) --at;
  return at;
}

/// Matches a star-free run at `at`; gives its end.
std::optional<std::size_t> MatchRun(const Piece* first, const Piece* last, std::string_view text, std::size_t at,
                                    CaseRule rule) {
  for (; first != last; ++first) {
    if (first->kind == Kind::kAnyOne) {
      if (at >= text.size()) return std::nullopt;
      at = NextCharacter(text, at);
    } else {
      if (text.size() - at < first->text.size()) return std::nullopt;
      if (!SameText(text.substr(at, first->text.size()), first->text, rule)) return std::nullopt;
      at += first->text.size();
    }
  }
  return at;
}

/// Matches a star-free run that ends at the end of the text and begins no earlier than `from`.
bool MatchSuffix(const Piece* first, const Piece* last, std::string_view text, std::size_t from, CaseRule rule) {
  std::size_t at = text.size();
  while (last != first) {
    --last;
    if (last->kind == Kind::kAnyOne) {
      if (at <= from) return false;
      at = PreviousCharacter(text, at);
      if (at < from) return false;
    } else {
      if (at - from < last->text.size()) return false;
      at -= last->text.size();
      if (!SameText(text.substr(at, last->text.size()), last->text, rule)) return false;
    }
  }
  return true;
}

/// The leftmost place at or after `at` where the run matches; gives its end.
std::optional<std::size_t> FindRun(const Piece* first, const Piece* last, std::string_view text, std::size_t at,
                                   CaseRule rule) {
  bool jump = first->kind == Kind::kLiteral && rule == CaseRule::kExact;
  while (at <= text.size()) {
    if (jump) {
      const void* found = memmem(text.data() + at, text.size() - at, first->text.data(), first->text.size());
      if (found == nullptr) return std::nullopt;
      at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    }
    if (auto end = MatchRun(first, last, text, at, rule)) return end;
    if (at >= text.size()) return std::nullopt;
    at = NextCharacter(text, at);
  }
  return std::nullopt;
}

const Piece* NextStar(const Piece* piece, const Piece* end) {
  while (piece != end && piece->kind != Kind::kStar) ++piece;
  return piece;
}

}  // namespace

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

void AppendGlob(std::string_view glob, PieceList& pieces) {
  std::size_t start = 0;
  for (std::size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] != '*' && glob[i] != '?') continue;
    pieces.AddLiteral(glob.substr(start, i - start));
    pieces.Add({glob[i] == '*' ? Kind::kStar : Kind::kAnyOne, {}});
    start = i + 1;
  }
  pieces.AddLiteral(glob.substr(start));
}

bool MatchPieces(const PieceList& pieces, std::string_view text, CaseRule rule) {
  const Piece* end = pieces.end();
  const Piece* run = pieces.begin();
  const Piece* star = NextStar(run, end);
  auto at = MatchRun(run, star, text, 0, rule);
  if (!at) return false;
  if (star == end) return *at == text.size();
  while (true) {
    run = star + 1;
    star = NextStar(run, end);
    if (star == end) return MatchSuffix(run, end, text, *at, rule);
    if (run == star) continue;
    at = FindRun(run, star, text, *at, rule);
    if (!at) return false;
  }
}

}  // namespace fleetward::policy
