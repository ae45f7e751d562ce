#include "template_functions.h"

namespace fleetward::registry {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxText = 64 * 1024;
constexpr std::size_t kMaxItems = 100;

Error Bad(const std::string& where, const std::string& what) { return Error(Code::kInvalidArgument, where + ": " + what); }

Result<std::string> Bounded(std::string text, const std::string& where) {
  if (text.size() > kMaxText) return Bad(where, "the value becomes longer than 64 KB");
  return text;
}

const Json* Member(const Json& object, const std::string& name) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

/// The function and its argument of {"Ref": "x"} or {"Fn::Join": […]}.
struct FunctionCall {
  std::string name;
  const Json& argument;
};
std::optional<FunctionCall> CallOf(const Json& value) {
  if (!value.is_object() || value.size() != 1) return std::nullopt;
  return FunctionCall{value.begin().key(), value.begin().value()};
}

bool IsListOf(const Json& value, std::size_t count) { return value.is_array() && value.size() == count; }

}  // namespace

Result<std::string> TemplateValues::Parameter(const std::string& name, const std::string& where) const {
  const Json* declared = Member(document_, "Parameters");
  if (declared) declared = Member(*declared, name);
  if (!declared) return Bad(where, "the template declares no parameter " + name);
  auto given = parameters_.find(name);
  if (given != parameters_.end()) return given->second;
  if (const Json* value = Member(*declared, "Default"); value && value->is_string()) return value->get<std::string>();
  return Bad(where, "the parameter " + name + " has no value");
}

Result<std::string> TemplateValues::Text(const Json& value, const std::string& where, int depth) const {
  if (depth > kMaxDepth) return Bad(where, "functions are nested too deeply");
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  if (auto call = CallOf(value)) return Call(call->name, call->argument, where, depth);
  return Bad(where, "a text, or a function such as Ref, is expected");
}

Result<std::vector<std::string>> TemplateValues::List(const Json& value, const std::string& where, int depth) const {
  if (depth > kMaxDepth) return Bad(where, "functions are nested too deeply");
  std::vector<std::string> items;
  if (auto call = CallOf(value); call && call->name == "Fn::Split") {
    if (!IsListOf(call->argument, 2)) return Bad(where, "Fn::Split takes [delimiter, text]");
    FW_ASSIGN(std::string delimiter, Text(call->argument[0], where, depth + 1));
    FW_ASSIGN(std::string text, Text(call->argument[1], where, depth + 1));
    if (delimiter.empty()) return Bad(where, "the delimiter of Fn::Split is empty");
    for (std::size_t start = 0;;) {
      std::size_t end = text.find(delimiter, start);
      items.push_back(text.substr(start, end - start));
      if (items.size() > kMaxItems) return Bad(where, "a list has more than 100 items");
      if (end == std::string::npos) return items;
      start = end + delimiter.size();
    }
  }
  if (!value.is_array()) return Bad(where, "a list is expected");
  if (value.size() > kMaxItems) return Bad(where, "a list has more than 100 items");
  for (const Json& item : value) {
    FW_ASSIGN(std::string text, Text(item, where, depth + 1));
    items.push_back(std::move(text));
  }
  return items;
}

Result<std::string> TemplateValues::Call(const std::string& function, const Json& argument, const std::string& where,
                                         int depth) const {
  if (function == "Ref") {
    if (!argument.is_string()) return Bad(where, "Ref takes the name of a parameter");
    return Parameter(argument.get<std::string>(), where);
  }
  if (function == "Fn::Join") {
    if (!IsListOf(argument, 2)) return Bad(where, "Fn::Join takes [delimiter, [texts]]");
    FW_ASSIGN(std::string delimiter, Text(argument[0], where, depth + 1));
    FW_ASSIGN(auto parts, List(argument[1], where, depth + 1));
    std::string joined;
    for (std::size_t i = 0; i < parts.size() && joined.size() <= kMaxText; ++i) joined += (i ? delimiter : "") + parts[i];
    return Bounded(std::move(joined), where);
  }
  if (function == "Fn::Select") {
    if (!IsListOf(argument, 2)) return Bad(where, "Fn::Select takes [index, [texts]]");
    FW_ASSIGN(std::string index, Text(argument[0], where, depth + 1));
    FW_ASSIGN(auto items, List(argument[1], where, depth + 1));
    bool number = !index.empty() && index.size() < 4 && index.find_first_not_of("0123456789") == std::string::npos;
    std::size_t at = number ? std::stoul(index) : items.size();
    if (at >= items.size()) return Bad(where, "Fn::Select: there is no item " + index);
    return items[at];
  }
  if (function == "Fn::FindInMap") {
    if (!IsListOf(argument, 3)) return Bad(where, "Fn::FindInMap takes [map, key, key]");
    FW_ASSIGN(auto keys, List(argument, where, depth + 1));
    const Json* found = Member(document_, "Mappings");
    for (const std::string& key : keys) {
      found = found ? Member(*found, key) : nullptr;
    }
    if (!found || !found->is_string()) return Bad(where, "Fn::FindInMap: Mappings has no " + keys[0] + "." + keys[1] + "." + keys[2]);
    return found->get<std::string>();
  }
  if (function == "Fn::Sub") return Substitute(argument, where, depth);
  return Bad(where, "the function " + function + " is not known");
}

// "${name}" in the text is a variable of the call, else a parameter; "${!x}" stands for "${x}".
Result<std::string> TemplateValues::Substitute(const Json& argument, const std::string& where, int depth) const {
  const Json* text = &argument;
  const Json* variables = nullptr;
  if (IsListOf(argument, 2)) {
    text = &argument[0];
    variables = &argument[1];
  }
  if (!text->is_string() || (variables && !variables->is_object())) {
    return Bad(where, "Fn::Sub takes a text, or [text, {variables}]");
  }
  std::string in = text->get<std::string>(), out;
  for (std::size_t at = 0; at < in.size();) {
    std::size_t open = in.find("${", at);
    std::size_t close = open == std::string::npos ? open : in.find('}', open);
    out += in.substr(at, close == std::string::npos ? std::string::npos : open - at);
    if (close == std::string::npos) break;
    std::string name = in.substr(open + 2, close - open - 2);
    const Json* variable = variables ? Member(*variables, name) : nullptr;
    if (name.starts_with('!')) {
      out += "${" + name.substr(1) + "}";
    } else {
      FW_ASSIGN(std::string value, variable ? Text(*variable, where, depth + 1) : Parameter(name, where));
      out += value;
    }
    at = close + 1;
    if (out.size() > kMaxText) break;
  }
  return Bounded(std::move(out), where);
}

}  // namespace fleetward::registry
