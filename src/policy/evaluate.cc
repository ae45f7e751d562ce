#include "fleetward/policy/evaluate.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "compiled.h"
#include "values.h"

namespace fleetward::policy {
namespace {

/// "arn:aws:iot:us-east-1:123456789012:topic/a", on the stack when it fits.
class ResourceArn {
 public:
  ResourceArn(const Facts& facts, Action action, std::string_view resource) {
    if (ResourceType(action) == "*") {
      Append("*");
    } else {
      for (std::string_view part : {std::string_view("arn:aws:iot:"), facts.region, std::string_view(":"),
                                    facts.account_id, std::string_view(":"), ResourceType(action),
                                    std::string_view("/"), resource}) {
        Append(part);
      }
    }
  }
  std::string_view text() const { return long_.empty() ? std::string_view(short_.data(), size_) : long_; }

 private:
  void Append(std::string_view part) {
    if (long_.empty() && size_ + part.size() <= short_.size()) {
      if (!part.empty()) std::memcpy(short_.data() + size_, part.data(), part.size());
      size_ += part.size();
    } else {
      if (long_.empty()) long_.assign(short_.data(), size_);
      long_ += part;
    }
  }
  std::array<char, 512> short_;
  std::size_t size_ = 0;
  std::string long_;
};

bool Compare(Relation relation, auto have, auto want) {
  switch (relation) {
    case Relation::kEquals: return have == want;
    case Relation::kLess: return have < want;
    case Relation::kLessEquals: return have <= want;
    case Relation::kGreater: return have > want;
    case Relation::kGreaterEquals: return have >= want;
  }
  return false;
}


/// Evaluates statements against one request.
class Evaluator {
 public:
  Evaluator(const Facts& facts, Action action, std::string_view arn, std::vector<std::string>* missing)
      : source_(facts), bit_(BitOf(action)), in_topic_filter_(action == Action::kSubscribe), arn_(arn),
        missing_(missing) {}

  /// Calls visit(effect, index, sid) for each statement that matches, as long as it returns true.
  /// False when the body is damaged.
  template <class Want, class Visit>
  bool Run(std::string_view body, Want want, Visit visit) {
    ByteReader reader(body);
    if (reader.U8() != kBodyFormat) return false;
    reader.U8();
    std::uint64_t count = reader.Varint();
    for (std::uint64_t i = 0; i < count; ++i) {
      ByteReader statement(reader.Bytes());
      if (!reader.ok()) return false;
      std::uint8_t effect_byte = statement.U8();
      std::uint32_t mask = statement.U32();
      if (!statement.ok() || effect_byte > 1) return false;
      auto effect = static_cast<Effect>(effect_byte);
      if ((mask & bit_) == 0 || !want(effect)) continue;
      std::string_view sid = statement.Bytes();
      effect_ = effect;
      bool matches = MatchesResource(statement) && MatchesConditions(statement);
      if (damaged_ || !statement.ok()) return false;
      if (matches && !visit(effect, static_cast<std::uint32_t>(i), sid)) return true;
    }
    return reader.ok() && reader.AtEnd();
  }

 private:
  bool MatchesResource(ByteReader& reader) {
    std::uint64_t count = reader.Varint();
    bool matched = false;
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
      std::string_view text = reader.Bytes();
      if (matched) continue;
      PieceList pieces;
      if (ReadText(text, pieces, /*keep_unresolved=*/false)) matched = MatchPieces(pieces, arn_);
    }
    return matched;
  }

  bool MatchesConditions(ByteReader& reader) {
    std::uint64_t count = reader.Varint();
    for (std::uint64_t i = 0; i < count; ++i) {
      ByteReader condition(reader.Bytes());
      if (!reader.ok() || !MatchesCondition(condition)) return false;
    }
    return true;
  }

  bool MatchesCondition(ByteReader condition) {
    std::uint8_t op_byte = condition.U8();
    ConditionOperator op = ConditionOperator::Of(op_byte, condition.U8());
    Variable key = ReadVariable(condition);
    if (!condition.ok()) return Damage();
    std::vector<std::string_view> values;
    source_.Values(key, values);
    if (values.empty() && missing_ != nullptr) missing_->emplace_back(key.name);
    if (op.family == OperatorFamily::kNull) return MatchesNull(condition, values.empty());
    bool negated = (op.modifiers & kNegated) != 0;
    if (values.empty()) {
      if ((op.modifiers & (kIfExists | kForAllValues)) != 0) return true;
      return (op.modifiers & kForAnyValue) == 0 && negated;
    }
    // A negated operator without ForAnyValue means that none of the key's values may be listed.
    bool all = (op.modifiers & kForAllValues) != 0 || (negated && (op.modifiers & kForAnyValue) == 0);
    for (std::string_view value : values) {
      std::optional<bool> listed = IsListed(op, condition, value);
      if (!listed) return false;
      bool fits = *listed != negated;
      if (fits != all) return fits;
    }
    return all;
  }

  bool MatchesNull(ByteReader condition, bool absent) {
    std::uint64_t count = condition.Varint();
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string_view value = condition.Bytes();
      if (value.size() != 1) return Damage();
      if ((value.front() != 0) == absent) return true;
    }
    return false;
  }

  /// Whether one of the condition's values equals `have`. Nothing: a variable in an Allow statement is unknown.
  std::optional<bool> IsListed(const ConditionOperator& op, ByteReader condition, std::string_view have) {
    std::uint64_t count = condition.Varint();
    bool listed = false;
    bool unresolved = false;
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string_view want = condition.Bytes();
      if (!condition.ok()) {
        Damage();
        return std::nullopt;
      }
      auto equal = MatchesValue(op, want, have);
      if (!equal) unresolved = true;
      if (equal.value_or(false)) listed = true;
    }
    if (listed) return true;
    if (unresolved) return std::nullopt;
    return false;
  }

  std::optional<bool> MatchesValue(const ConditionOperator& op, std::string_view want, std::string_view have) {
    ByteReader reader(want);
    switch (op.family) {
      case OperatorFamily::kString:
      case OperatorFamily::kStringLike: return MatchesText(want, have, CaseRule::kExact);
      case OperatorFamily::kStringIgnoreCase: return MatchesText(want, have, CaseRule::kIgnore);
      case OperatorFamily::kArn: return MatchesArn(reader, have);
      case OperatorFamily::kNumeric: {
        auto number = ParseNumber(have);
        double wanted = reader.F64();
        return number && Compare(op.relation, *number, wanted);
      }
      case OperatorFamily::kDate: {
        auto date = ParseDate(have);
        auto wanted = static_cast<std::int64_t>(reader.U64());
        return date && Compare(op.relation, *date, wanted);
      }
      case OperatorFamily::kIp: {
        auto address = model::IpAddress::Parse(have);
        std::string_view raw = reader.Raw(16);
        model::IpPrefix prefix;
        prefix.length = reader.U8();
        if (!reader.ok() || prefix.length > 128) return Damage();
        std::memcpy(prefix.address.bytes.data(), raw.data(), 16);
        return address && prefix.Contains(*address);
      }
      case OperatorFamily::kBinary: return want == have;
      case OperatorFamily::kBool: return EqualsIgnoringCase(have, reader.U8() != 0 ? "true" : "false");
      case OperatorFamily::kNull: break;
    }
    return Damage();
  }

  std::optional<bool> MatchesText(std::string_view want, std::string_view have, CaseRule rule) {
    PieceList pieces;
    if (!ReadText(want, pieces, effect_ == Effect::kDeny)) return std::nullopt;
    return MatchPieces(pieces, have, rule);
  }

  /// Part by part: a wildcard does not cross the first five colons.
  std::optional<bool> MatchesArn(ByteReader& want, std::string_view have) {
    std::vector<std::string_view> parts = SplitArn(have);
    bool whole = true;
    std::size_t i = 0;
    for (; !want.AtEnd(); ++i) {
      std::string_view part = want.Bytes();
      if (!want.ok()) return Damage();
      bool only = i == 0 && want.AtEnd();  // the pattern "*"
      auto matched = MatchesText(part, only ? have : i < parts.size() ? parts[i] : std::string_view{}, CaseRule::kExact);
      if (!matched) return std::nullopt;
      if (only) return *matched;
      whole = whole && *matched;
    }
    return whole && i == parts.size();
  }

  bool ReadText(std::string_view text, PieceList& pieces, bool keep_unresolved) {
    TextReader reader{source_, in_topic_filter_, keep_unresolved, missing_};
    bool good = reader.Read(text, pieces);
    if (reader.damaged) Damage();
    return good;
  }

  bool Damage() {
    damaged_ = true;
    return false;
  }

  VariableSource source_;
  std::uint32_t bit_;
  bool in_topic_filter_;
  std::string_view arn_;
  std::vector<std::string>* missing_;
  Effect effect_ = Effect::kAllow;
  bool damaged_ = false;
};

}  // namespace

std::string_view DecisionName(Decision decision) {
  switch (decision) {
    case Decision::kAllowed: return "ALLOWED";
    case Decision::kExplicitDeny: return "EXPLICIT_DENY";
    case Decision::kImplicitDeny: return "IMPLICIT_DENY";
  }
  return "";
}

Decision DecideArn(std::span<const PolicyRef> policies, const Facts& facts, Action action, std::string_view arn) {
  Evaluator evaluator(facts, action, arn, nullptr);
  bool allowed = false;
  bool denied = false;
  bool damaged = false;
  for (const PolicyRef& policy : policies) {
    bool good = evaluator.Run(
        policy.body, [&](Effect effect) { return effect == Effect::kDeny || !allowed; },
        [&](Effect effect, std::uint32_t, std::string_view) {
          (effect == Effect::kDeny ? denied : allowed) = true;
          return !denied;
        });
    if (denied) return Decision::kExplicitDeny;
    damaged = damaged || !good;
  }
  return allowed && !damaged ? Decision::kAllowed : Decision::kImplicitDeny;
}

Decision Decide(std::span<const PolicyRef> policies, const Facts& facts, Action action, std::string_view resource) {
  return DecideArn(policies, facts, action, ResourceArn(facts, action, resource).text());
}

Explanation ExplainArn(std::span<const PolicyRef> policies, const Facts& facts, Action action, std::string_view arn) {
  Explanation explanation;
  Evaluator evaluator(facts, action, arn, &explanation.missing_context);
  bool damaged = false;
  for (const PolicyRef& policy : policies) {
    bool good = evaluator.Run(
        policy.body, [](Effect) { return true; },
        [&](Effect effect, std::uint32_t index, std::string_view sid) {
          auto& matches = effect == Effect::kDeny ? explanation.denied : explanation.allowed;
          matches.push_back({std::string(policy.name), index, std::string(sid)});
          return true;
        });
    damaged = damaged || !good;
  }
  if (!explanation.denied.empty()) {
    explanation.decision = Decision::kExplicitDeny;
  } else if (!explanation.allowed.empty() && !damaged) {
    explanation.decision = Decision::kAllowed;
  }
  auto& missing = explanation.missing_context;
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  return explanation;
}

Explanation Explain(std::span<const PolicyRef> policies, const Facts& facts, Action action,
                    std::string_view resource) {
  return ExplainArn(policies, facts, action, ResourceArn(facts, action, resource).text());
}

}  // namespace fleetward::policy
