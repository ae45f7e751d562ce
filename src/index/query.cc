#include "fleetward/index/query.h"

#include <charconv>
#include <cmath>

namespace fleetward::index {
namespace {

constexpr std::size_t kMaxDepth = 16;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); }

// What the service's language has no use for outside of quotes and escapes. A comma is for geographic
// queries, and
// `/`, `@`, `#` and the like are legal in attribute values, so they are let through where they cannot be
// mistaken.
bool EndsValue(char c) {
  return IsSpace(c) || c == '(' || c == ')' || c == '[' || c == ']' || c == '{' || c == '}' || c == '"';
}

// Behind a field's name a value may hold these: a:b, 10:30.
bool EndsField(char c) { return EndsValue(c) || c == ':' || c == '<' || c == '>' || c == '='; }

struct Word {
  ValuePattern pattern;
  std::string text;      // without escapes; for fields, keywords and bounds
  bool escaped = false;  // some character was: no keyword
  bool wildcard = false;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Query> Run() {
    FW_ASSIGN(Query query, ParseOr("", 0));
    if (!AtEnd()) return Fault("an operator or the end of the query");
    if (leading_wildcards_ > 1) {
      return Error(Code::kInvalidQuery, "Only one term of a query may begin with a wildcard");
    }
    if (leading_wildcards_ > 0 && text_.size() > kMaxLeadingWildcardBytes) {
      return Error(Code::kInvalidQuery, "A query with a leading wildcard may have at most 100 characters");
    }
    return query;
  }

 private:
  Error Fault(std::string_view expected) const {
    std::string found = at_ < text_.size() ? "'" + std::string(text_.substr(at_, 20)) + "'" : "the end";
    return Error(Code::kInvalidQuery, "Invalid query: expected " + std::string(expected) + " at character " +
                                          std::to_string(at_ + 1) + ", found " + found);
  }

  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }
  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }
  char Peek() {
    SkipSpace();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }

  // AND, OR, NOT and TO are words of their own, in capitals.
  bool SeesKeyword(std::string_view keyword) {
    SkipSpace();
    if (!text_.substr(at_).starts_with(keyword)) return false;
    std::size_t end = at_ + keyword.size();
    return end == text_.size() || IsSpace(text_[end]) || text_[end] == '(';
  }
  bool TakeKeyword(std::string_view keyword) {
    if (!SeesKeyword(keyword)) return false;
    at_ += keyword.size();
    return true;
  }

  Result<Query> ParseOr(const std::string& field, std::size_t depth) {
    if (depth > kMaxDepth) return Error(Code::kInvalidQuery, "Invalid query: nested too deeply");
    std::vector<Query> operands;
    do {
      FW_ASSIGN(Query next, ParseAnd(field, depth));
      operands.push_back(std::move(next));
    } while (TakeKeyword("OR"));
    return Joined(Query::Kind::kOr, std::move(operands));
  }

  Result<Query> ParseAnd(const std::string& field, std::size_t depth) {
    std::vector<Query> operands;
    while (true) {
      FW_ASSIGN(Query next, ParseUnary(field, depth));
      operands.push_back(std::move(next));
      if (TakeKeyword("AND")) continue;
      if (AtEnd() || Peek() == ')' || SeesKeyword("OR")) break;
    }
    return Joined(Query::Kind::kAnd, std::move(operands));
  }

  static Query Joined(Query::Kind kind, std::vector<Query> operands) {
    if (operands.size() == 1) return std::move(operands.front());
    Query query;
    query.kind = kind;
    query.operands = std::move(operands);
    return query;
  }

  Result<Query> ParseUnary(const std::string& field, std::size_t depth) {
    bool negated = false;
    while (TakeKeyword("NOT") || (Peek() == '-' && Take('-'))) negated = !negated;
    FW_ASSIGN(Query query, ParsePrimary(field, depth));
    if (!negated) return query;
    Query whole;
    whole.kind = Query::Kind::kNot;
    whole.operands.push_back(std::move(query));
    return whole;
  }

  Result<Query> ParsePrimary(const std::string& field, std::size_t depth) {
    if (Take('(')) {
      FW_ASSIGN(Query inner, ParseOr(field, depth + 1));
      if (!Take(')')) return Fault("')'");
      return inner;
    }
    if (!field.empty() || Peek() == '"' || Peek() == '[' || Peek() == '{') return ParseValue(field);
    std::size_t start = at_;
    FW_ASSIGN(Word word, ParseWord(EndsField));
    char next = Peek();
    if (next != ':' && next != '<' && next != '>') {
      at_ = start;
      return ParseValue(field);
    }
    if (word.wildcard || word.text.empty())
      return Fault("a field's name without wildcards before '" + std::string(1, next) + "'");
    if (next != ':') return ParseComparison(word.text);
    Take(':');
    if (Take('(')) {
      FW_ASSIGN(Query inner, ParseOr(word.text, depth + 1));
      if (!Take(')')) return Fault("')'");
      return inner;
    }
    return ParseValue(word.text);
  }

  Status CountTerm() {
    if (++terms_ <= kMaxQueryTerms) return {};
    return Error(Code::kInvalidQuery,
                 "A query may have at most " + std::to_string(kMaxQueryTerms) + " terms");
  }

  // field<5, field>=5: a range with one end.
  Result<Query> ParseComparison(const std::string& field) {
    FW_TRY(CountTerm());
    bool less = Take('<');
    if (!less) Take('>');
    bool inclusive = at_ < text_.size() && text_[at_] == '=';
    if (inclusive) ++at_;
    FW_ASSIGN(Bound bound, ParseBound());
    bound.inclusive = inclusive;
    Query query;
    query.kind = Query::Kind::kRange;
    query.field = field;
    (less ? query.high : query.low) = std::move(bound);
    return query;
  }

  Result<Query> ParseValue(const std::string& field) {
    char next = Peek();
    if (next == '[' || next == '{') return ParseRange(field);
    FW_TRY(CountTerm());
    Query query;
    query.field = field;
    if (next == '"') {
      FW_ASSIGN(std::string phrase, ParseQuoted());
      for (char c : phrase) query.pattern.AddLiteral(c);
      return query;
    }
    FW_ASSIGN(Word word, ParseWord(field.empty() ? EndsField : EndsValue));
    query.pattern = std::move(word.pattern);
    if (query.pattern.leads_with_wildcard() && !query.pattern.any()) ++leading_wildcards_;
    return query;
  }

  Result<Query> ParseRange(const std::string& field) {
    FW_TRY(CountTerm());
    Query query;
    query.kind = Query::Kind::kRange;
    query.field = field;
    bool inclusive = Take('[');
    if (!inclusive) Take('{');
    FW_ASSIGN(query.low, ParseRangeEnd());
    if (query.low) query.low->inclusive = inclusive;
    if (!TakeKeyword("TO")) return Fault("TO");
    FW_ASSIGN(query.high, ParseRangeEnd());
    inclusive = Take(']');
    if (!inclusive && !Take('}')) return Fault("']' or '}'");
    if (query.high) query.high->inclusive = inclusive;
    return query;
  }

  // `*` is no end.
  Result<std::optional<Bound>> ParseRangeEnd() {
    if (Take('*')) return std::optional<Bound>();
    FW_ASSIGN(Bound bound, ParseBound());
    return std::optional<Bound>(std::move(bound));
  }

  Result<Bound> ParseBound() {
    Bound bound;
    if (Peek() == '"') {
      FW_ASSIGN(bound.text, ParseQuoted());
      return bound;
    }
    FW_ASSIGN(Word word, ParseWord(EndsValue));
    if (word.wildcard) return Error(Code::kInvalidQuery, "Invalid query: a range's end has no wildcards");
    bound.number = NumberOf(word.text);
    bound.text = std::move(word.text);
    return bound;
  }

  Result<std::string> ParseQuoted() {
    Take('"');
    std::string phrase;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      phrase += text_[at_];
    }
    if (at_ == text_.size()) return Fault("'\"'");
    ++at_;
    if (phrase.empty()) return Error(Code::kInvalidQuery, "Invalid query: an empty phrase");
    return phrase;
  }

  Result<Word> ParseWord(bool (*ends)(char)) {
    SkipSpace();
    Word word;
    std::size_t start = at_;
    for (; at_ < text_.size() && !ends(text_[at_]); ++at_) {
      char c = text_[at_];
      if (c == '*' || c == '?') {
        word.wildcard = true;
        c == '*' ? word.pattern.AddStar() : word.pattern.AddAnyOne();
        continue;
      }
      if (c == '\\') {
        if (at_ + 1 == text_.size()) return Fault("a character after '\\'");
        word.escaped = true;
        c = text_[++at_];
      }
      word.pattern.AddLiteral(c);
      word.text += c;
    }
    if (at_ == start) return Fault("a term");
    if (!word.escaped && (word.text == "AND" || word.text == "OR" || word.text == "NOT") && !word.wildcard) {
      at_ = start;
      return Fault("a term");
    }
    return word;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t terms_ = 0;
  std::size_t leading_wildcards_ = 0;
};

}  // namespace

void ValuePattern::AddLiteral(char c) {
  if (pieces_.empty() || pieces_.back().first != Kind::kLiteral) pieces_.emplace_back(Kind::kLiteral, "");
  pieces_.back().second += c;
}

void ValuePattern::AddStar() {
  if (pieces_.empty() || pieces_.back().first != Kind::kStar) pieces_.emplace_back(Kind::kStar, "");
}

void ValuePattern::AddAnyOne() { pieces_.emplace_back(Kind::kAnyOne, ""); }

std::string_view ValuePattern::prefix() const {
  if (pieces_.empty() || pieces_[0].first != Kind::kLiteral) return {};
  return pieces_[0].second;
}

bool ValuePattern::Matches(std::string_view value) const {
  policy::PieceList pieces;
  for (const auto& [kind, text] : pieces_) pieces.Add({kind, text});
  return policy::MatchPieces(pieces, value, policy::CaseRule::kIgnore);
}

std::optional<double> NumberOf(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number == 0 ? 0.0 : number;  // one zero
}

Result<Query> ParseQuery(std::string_view text) {
  if (text.size() > kMaxQueryBytes) {
    return Error(Code::kInvalidQuery,
                 "A query may have at most " + std::to_string(kMaxQueryBytes) + " bytes");
  }
  return Parser(text).Run();
}

}  // namespace fleetward::index
