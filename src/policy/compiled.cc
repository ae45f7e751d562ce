#include "compiled.h"

#include <array>

namespace fleetward::policy {
namespace {

struct OperatorName {
  std::string_view name;
  OperatorFamily family;
  Relation relation = Relation::kEquals;
  bool negated = false;
};

using enum OperatorFamily;

constexpr OperatorName kOperators[] = {
    {"StringEquals", kString},
    {"StringNotEquals", kString, Relation::kEquals, true},
    {"StringEqualsIgnoreCase", kStringIgnoreCase},
    {"StringNotEqualsIgnoreCase", kStringIgnoreCase, Relation::kEquals, true},
    {"StringLike", kStringLike},
    {"StringNotLike", kStringLike, Relation::kEquals, true},
    {"ArnEquals", kArn},
    {"ArnNotEquals", kArn, Relation::kEquals, true},
    {"ArnLike", kArn},
    {"ArnNotLike", kArn, Relation::kEquals, true},
    {"NumericEquals", kNumeric},
    {"NumericNotEquals", kNumeric, Relation::kEquals, true},
    {"NumericLessThan", kNumeric, Relation::kLess},
    {"NumericLessThanEquals", kNumeric, Relation::kLessEquals},
    {"NumericGreaterThan", kNumeric, Relation::kGreater},
    {"NumericGreaterThanEquals", kNumeric, Relation::kGreaterEquals},
    {"DateEquals", kDate},
    {"DateNotEquals", kDate, Relation::kEquals, true},
    {"DateLessThan", kDate, Relation::kLess},
    {"DateLessThanEquals", kDate, Relation::kLessEquals},
    {"DateGreaterThan", kDate, Relation::kGreater},
    {"DateGreaterThanEquals", kDate, Relation::kGreaterEquals},
    {"IpAddress", kIp},
    {"NotIpAddress", kIp, Relation::kEquals, true},
    {"BinaryEquals", kBinary},
    {"Bool", kBool},
    {"Null", kNull},
};

/// Takes `prefix` off the front.
bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

class TextWriter {
 public:
  explicit TextWriter(std::string& out) : writer_(out) {}
  void Literal(char c) { literal_.push_back(c); }
  void Op(TextOp op) {
    Flush();
    writer_.U8(static_cast<std::uint8_t>(op));
  }
  void PutVariable(std::string_view name) {
    Op(TextOp::kVariable);
    WriteVariable(ParseVariable(name), writer_);
  }
  void Flush() {
    if (literal_.empty()) return;
    writer_.U8(static_cast<std::uint8_t>(TextOp::kLiteral));
    writer_.Bytes(literal_);
    literal_.clear();
  }

 private:
  ByteWriter writer_;
  std::string literal_;
};

}  // namespace

std::optional<ConditionOperator> ParseConditionOperator(std::string_view name) {
  ConditionOperator op;
  if (TakePrefix(name, "ForAllValues:")) {
    op.modifiers |= kForAllValues;
  } else if (TakePrefix(name, "ForAnyValue:")) {
    op.modifiers |= kForAnyValue;
  }
  if (name.ends_with("IfExists")) {
    name.remove_suffix(8);
    op.modifiers |= kIfExists;
  }
  for (const OperatorName& known : kOperators) {
    if (known.name != name) continue;
    if (known.family == kNull && op.modifiers != 0) return std::nullopt;
    op.family = known.family;
    op.relation = known.relation;
    if (known.negated) op.modifiers |= kNegated;
    return op;
  }
  return std::nullopt;
}

Status CompileText(std::string_view text, const TextRules& rules, std::string& out) {
  TextWriter writer(out);
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (rules.variables && c == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      std::size_t close = text.find('}', i + 2);
      if (close == std::string_view::npos) {
        return Error(Code::kMalformedPolicy, "a policy variable ${ is not closed by }");
      }
      std::string_view name = text.substr(i + 2, close - i - 2);
      if (name.empty() || name.find("${") != std::string_view::npos) {
        return Error(Code::kMalformedPolicy, "a policy variable ${...} needs a name and cannot be nested");
      }
      if (name == "*" || name == "?" || name == "$") {
        writer.Literal(name.front());
      } else {
        writer.PutVariable(name);
      }
      i = close;
    } else if (rules.wildcards && c == '*') {
      writer.Op(TextOp::kStar);
    } else if (rules.wildcards && c == '?') {
      writer.Op(TextOp::kAnyOne);
    } else {
      writer.Literal(c);
    }
  }
  writer.Flush();
  return {};
}

std::vector<std::string_view> SplitArn(std::string_view arn) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  bool inside = false;
  for (std::size_t i = 0; i < arn.size() && parts.size() < 5; ++i) {
    if (arn[i] == '$' && i + 1 < arn.size() && arn[i + 1] == '{') inside = true;
    if (arn[i] == '}') inside = false;
    if (inside || arn[i] != ':') continue;
    parts.push_back(arn.substr(start, i - start));
    start = i + 1;
  }
  parts.push_back(arn.substr(start));
  return parts;
}

bool TextReader::Read(std::string_view text, PieceList& pieces) {
  ByteReader reader(text);
  while (reader.ok() && !reader.AtEnd()) {
    switch (static_cast<TextOp>(reader.U8())) {
      case TextOp::kLiteral: pieces.AddLiteral(reader.Bytes()); break;
      case TextOp::kAnyOne: pieces.Add({Piece::Kind::kAnyOne, {}}); break;
      case TextOp::kStar: pieces.Add({Piece::Kind::kStar, {}}); break;
      case TextOp::kVariable: {
        Variable variable = ReadVariable(reader);
        auto value = source.Substitute(variable, in_topic_filter);
        if (value) {
          pieces.AddLiteral(*value);
          break;
        }
        if (missing != nullptr) missing->emplace_back(variable.name);
        if (!keep_unresolved) return false;
        pieces.AddLiteral("${");
        pieces.AddLiteral(variable.name);
        pieces.AddLiteral("}");
        break;
      }
      default: damaged = true; return false;
    }
  }
  if (!reader.ok()) damaged = true;
  return reader.ok();
}

}  // namespace fleetward::policy
