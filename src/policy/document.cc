#include "fleetward/policy/document.h"

#include <cmath>
#include <optional>
#include <set>
#include <vector>

#include <nlohmann/json.hpp>

#include "compiled.h"
#include "fleetward/policy/action.h"
#include "values.h"

namespace fleetward::policy {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDocumentBytes = 64 * 1024;  // with white space
constexpr int kMaxDepth = 16;

Error Malformed(std::string message) { return Error(Code::kMalformedPolicy, std::move(message)); }

std::size_t CharactersWithoutSpace(std::string_view text) {
  std::size_t count = 0;
  for (char c : text) {
    bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    bool continuation = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
    if (!space && !continuation) ++count;
  }
  return count;
}

/// Depth is checked before the parser sees the text.
bool TooDeep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '{' || c == '[')) {
      if (++depth > kMaxDepth) return true;
    } else if (!quoted && (c == '}' || c == ']')) {
      --depth;
    }
  }
  return false;
}

Status CheckLength(std::string_view text, std::size_t max_characters) {
  if (text.size() > kMaxDocumentBytes) return Malformed("The policy document is too long");
  std::size_t size = CharactersWithoutSpace(text);
  if (size <= max_characters) return {};
  return Malformed("The policy document has " + std::to_string(size) +
                   " characters without white space; the limit is " + std::to_string(max_characters));
}

/// Parses, refusing what the library would take silently: duplicate keys.
Result<Json> ParseJson(std::string_view text) {
  FW_TRY(CheckLength(text, kMaxDocumentChars));
  if (TooDeep(text)) return Malformed("The policy document is nested too deeply");
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  auto callback = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.empty()) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second && duplicate.empty()) duplicate = key;
    }
    return true;
  };
  Json json = Json::parse(text, callback, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Malformed("The policy document is not valid JSON");
  if (!duplicate.empty()) return Malformed("The key " + duplicate + " is given twice in one object");
  if (!json.is_object()) return Malformed("The policy document must be a JSON object");
  return json;
}

/// Whether the text names a variable of time: "${aws:CurrentTime}", in any case.
bool MentionsTime(std::string_view text) {
  for (std::size_t i = 0; i + 5 <= text.size(); ++i) {
    if (EqualsIgnoringCase(text.substr(i, 5), "time}")) return true;
  }
  return false;
}

bool IsTime(VariableKind kind) { return kind == VariableKind::kCurrentTime || kind == VariableKind::kEpochTime; }

class Compiler {
 public:
  Result<std::string> Compile(const Json& document);

 private:
  Result<std::string> CompileStatement(const Json& statement, const std::string& where);
  Result<std::uint32_t> CompileActions(const Json& actions, const std::string& where);
  Status CompileResources(const Json& resources, const std::string& where, ByteWriter& writer);
  Status CompileConditions(const Json& conditions, const std::string& where, ByteWriter& writer);
  Result<std::string> CompileCondition(const ConditionOperator& op, const std::string& key, const Json& values,
                                       const std::string& where);
  Result<std::string> CompileValue(const ConditionOperator& op, const std::string& text, const std::string& where);

  bool variables_ = true;
  bool depends_on_time_ = false;
};

/// A string or a non-empty list of strings; numbers and booleans too where `scalars`.
Result<std::vector<std::string>> Strings(const Json& json, const std::string& where, bool scalars = false) {
  std::vector<std::string> strings;
  auto add = [&](const Json& item) {
    if (item.is_string()) {
      strings.push_back(item.get<std::string>());
    } else if (scalars && (item.is_boolean() || item.is_number())) {
      strings.push_back(item.dump());
    } else {
      return false;
    }
    return true;
  };
  if (json.is_array()) {
    for (const Json& item : json) {
      if (!add(item)) return Malformed(where + " must hold strings only");
    }
    if (strings.empty()) return Malformed(where + " must not be an empty list");
  } else if (!add(json)) {
    return Malformed(where + " must be a string or a list of strings");
  }
  return strings;
}

Status OnlyKeys(const Json& object, const std::set<std::string>& allowed, const std::string& where) {
  for (const auto& [key, value] : object.items()) {
    if (allowed.contains(key)) continue;
    std::string message = (where.empty() ? "" : where + ": ") + key + " is not allowed in an AWS IoT policy";
    if (key == "Principal") message += "; the principal is the certificate or group the policy is attached to";
    return Malformed(message);
  }
  return {};
}

Result<std::string> Compiler::Compile(const Json& document) {
  FW_TRY(OnlyKeys(document, {"Version", "Id", "Statement"}, ""));
  if (!document.contains("Version")) return Malformed("Version is missing; it should be 2012-10-17");
  const Json& version = document["Version"];
  if (version != "2012-10-17" && version != "2008-10-17") return Malformed("Version must be 2012-10-17 or 2008-10-17");
  variables_ = version == "2012-10-17";
  if (document.contains("Id") && !document["Id"].is_string()) return Malformed("Id must be a string");
  if (!document.contains("Statement")) return Malformed("Statement is missing");
  const Json& statements = document["Statement"];
  if (!statements.is_array() && !statements.is_object()) return Malformed("Statement must be an object or a list");
  if (statements.is_array() && statements.empty()) return Malformed("Statement must not be an empty list");

  std::string list;
  ByteWriter list_writer(list);
  std::size_t count = statements.is_array() ? statements.size() : 1;
  for (std::size_t i = 0; i < count; ++i) {
    std::string where = statements.is_array() ? "Statement[" + std::to_string(i) + "]" : "Statement";
    FW_ASSIGN(std::string statement, CompileStatement(statements.is_array() ? statements[i] : statements, where));
    list_writer.Bytes(statement);
  }
  std::string body;
  ByteWriter writer(body);
  writer.U8(kBodyFormat);
  writer.U8(depends_on_time_ ? kBodyDependsOnTime : 0);
  writer.Varint(count);
  writer.Raw(list);
  return body;
}

Result<std::string> Compiler::CompileStatement(const Json& statement, const std::string& where) {
  if (!statement.is_object()) return Malformed(where + " must be an object");
  FW_TRY(OnlyKeys(statement, {"Sid", "Effect", "Action", "Resource", "Condition"}, where));
  for (const char* key : {"Effect", "Action", "Resource"}) {
    if (!statement.contains(key)) return Malformed(where + "." + key + " is missing");
  }
  const Json& effect = statement["Effect"];
  if (effect != "Allow" && effect != "Deny") return Malformed(where + ".Effect must be Allow or Deny");
  std::string sid;
  if (statement.contains("Sid")) {
    if (!statement["Sid"].is_string()) return Malformed(where + ".Sid must be a string");
    sid = statement["Sid"].get<std::string>();
  }
  std::string out;
  ByteWriter writer(out);
  writer.U8(static_cast<std::uint8_t>(effect == "Allow" ? Effect::kAllow : Effect::kDeny));
  FW_ASSIGN(std::uint32_t mask, CompileActions(statement["Action"], where + ".Action"));
  writer.U32(mask);
  writer.Bytes(sid);
  FW_TRY(CompileResources(statement["Resource"], where + ".Resource", writer));
  FW_TRY(CompileConditions(statement.contains("Condition") ? statement["Condition"] : Json::object(),
                           where + ".Condition", writer));
  return out;
}

Result<std::uint32_t> Compiler::CompileActions(const Json& actions, const std::string& where) {
  FW_ASSIGN(auto names, Strings(actions, where));
  std::uint32_t mask = 0;
  for (const std::string& name : names) {
    std::size_t colon = name.find(':');
    bool shaped = name == "*" || (colon != std::string::npos && colon > 0 && colon + 1 < name.size() &&
                                  name.find(':', colon + 1) == std::string::npos);
    if (!shaped || name.find_first_of(" \t\r\n/$") != std::string::npos) {
      return Malformed(where + " holds \"" + name + "\"; an action looks like iot:Publish, iot:* or *");
    }
    mask |= ActionMask(name);
  }
  return mask;
}

Status Compiler::CompileResources(const Json& resources, const std::string& where, ByteWriter& writer) {
  FW_ASSIGN(auto names, Strings(resources, where));
  writer.Varint(names.size());
  for (const std::string& name : names) {
    if (!name.starts_with("arn:") && !name.starts_with('*')) {
      return Malformed(where + " holds \"" + name +
                       "\"; a resource is * or an ARN such as arn:aws:iot:us-east-1:123456789012:topic/a");
    }
    std::string text;
    if (auto status = CompileText(name, {true, variables_}, text); !status.ok()) {
      return std::move(status).error().Prefixed(where);
    }
    writer.Bytes(text);
    if (MentionsTime(name)) depends_on_time_ = true;
  }
  return {};
}

Status Compiler::CompileConditions(const Json& conditions, const std::string& where, ByteWriter& writer) {
  if (!conditions.is_object()) return Malformed(where + " must be an object");
  std::vector<std::string> compiled;
  for (const auto& [name, keys] : conditions.items()) {
    auto op = ParseConditionOperator(name);
    if (!op) return Malformed(where + ": " + name + " is not a condition operator");
    if (!keys.is_object() || keys.empty()) return Malformed(where + "." + name + " must be an object of keys and values");
    for (const auto& [key, values] : keys.items()) {
      if (key.empty()) return Malformed(where + "." + name + " has an empty key");
      FW_ASSIGN(auto condition, CompileCondition(*op, key, values, where + "." + name + "." + key));
      compiled.push_back(std::move(condition));
    }
  }
  writer.Varint(compiled.size());
  for (const std::string& condition : compiled) writer.Bytes(condition);
  return {};
}

Result<std::string> Compiler::CompileCondition(const ConditionOperator& op, const std::string& key,
                                               const Json& values, const std::string& where) {
  FW_ASSIGN(auto texts, Strings(values, where, /*scalars=*/true));
  Variable variable = ParseVariable(key);
  if (IsTime(variable.kind)) depends_on_time_ = true;
  std::string out;
  ByteWriter writer(out);
  writer.U8(op.Byte());
  writer.U8(op.modifiers);
  WriteVariable(variable, writer);
  writer.Varint(texts.size());
  for (const std::string& text : texts) {
    FW_ASSIGN(auto value, CompileValue(op, text, where));
    writer.Bytes(value);
    if (MentionsTime(text)) depends_on_time_ = true;
  }
  return out;
}

Result<std::string> Compiler::CompileValue(const ConditionOperator& op, const std::string& text,
                                           const std::string& where) {
  std::string out;
  ByteWriter writer(out);
  auto text_error = [&](Error error) { return std::move(error).Prefixed(where); };
  switch (op.family) {
    case OperatorFamily::kString:
    case OperatorFamily::kStringIgnoreCase:
    case OperatorFamily::kStringLike: {
      auto status = CompileText(text, {op.family == OperatorFamily::kStringLike, variables_}, out);
      if (!status.ok()) return text_error(std::move(status).error());
      return out;
    }
    case OperatorFamily::kArn: {
      std::vector<std::string_view> parts = SplitArn(text);
      if (parts.size() != 6 && text != "*") return Malformed(where + ": \"" + text + "\" is not an ARN");
      for (std::string_view part : parts) {
        std::string compiled;
        auto status = CompileText(part, {true, variables_}, compiled);
        if (!status.ok()) return text_error(std::move(status).error());
        writer.Bytes(compiled);
      }
      return out;
    }
    case OperatorFamily::kNumeric: {
      auto number = ParseNumber(text);
      if (!number) return Malformed(where + ": \"" + text + "\" is not a number");
      writer.F64(*number);
      return out;
    }
    case OperatorFamily::kDate: {
      auto date = ParseDate(text);
      if (!date) return Malformed(where + ": \"" + text + "\" is not an ISO 8601 time or epoch seconds");
      writer.U64(static_cast<std::uint64_t>(*date));
      return out;
    }
    case OperatorFamily::kIp: {
      auto prefix = model::IpPrefix::Parse(text);
      if (!prefix) return Malformed(where + ": \"" + text + "\" is not an address or CIDR block");
      writer.Raw({reinterpret_cast<const char*>(prefix->address.bytes.data()), prefix->address.bytes.size()});
      writer.U8(prefix->length);
      return out;
    }
    case OperatorFamily::kBinary: {
      auto bytes = Base64Decode(text);
      if (!bytes) return Malformed(where + ": \"" + text + "\" is not Base64");
      return *bytes;
    }
    case OperatorFamily::kBool:
    case OperatorFamily::kNull:
      if (text != "true" && text != "false") return Malformed(where + " must be true or false");
      writer.U8(text == "true");
      return out;
  }
  return Malformed(where + " is not supported");
}

}  // namespace

Result<CompiledPolicy> CompilePolicy(std::string_view name, std::string_view document) {
  FW_ASSIGN(Json json, ParseJson(document));
  FW_ASSIGN(std::string body, Compiler().Compile(json));
  return CompiledPolicy{std::string(name), std::move(body)};
}

Status ValidatePolicyDocument(std::string_view document, std::size_t max_characters) {
  FW_TRY(CheckLength(document, max_characters));
  FW_TRY(CompilePolicy("", document));
  return {};
}

bool DependsOnTime(std::string_view body) {
  ByteReader reader(body);
  return reader.U8() == kBodyFormat && (reader.U8() & kBodyDependsOnTime) != 0;
}

}  // namespace fleetward::policy
