#include "fleetward/api/codec/value.h"

#include <charconv>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "fleetward/api/codec/enum.h"
#include "fleetward/api/codec/time.h"
#include "fleetward/base/encoding.h"
#include "form.h"
#include "input_state.h"

namespace fleetward::api::codec {
namespace {

using nlohmann::json;

constexpr std::size_t kShownBytes = 100;

const json* Node(const void* node) { return static_cast<const json*>(node); }

std::uint64_t CodePoints(std::string_view text) {
  std::uint64_t count = 0;
  for (char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

/// At most kShownBytes, cut between characters.
std::string Shown(std::string_view text) {
  if (text.size() <= kShownBytes) return std::string(text);
  std::size_t cut = kShownBytes;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return std::string(text.substr(0, cut)) + "...";
}

template <class T>
std::optional<T> Parse(std::string_view text) {
  T out{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// A whole number out of a JSON number; 5.0 counts as 5.
std::optional<std::int64_t> Whole(const json& node) {
  if (node.is_number_unsigned()) {
    std::uint64_t v = node.get<std::uint64_t>();
    if (v > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    return static_cast<std::int64_t>(v);
  }
  if (node.is_number_integer()) return node.get<std::int64_t>();
  if (!node.is_number_float()) return std::nullopt;
  double v = node.get<double>();
  if (v != std::trunc(v) || std::abs(v) > 9007199254740992.0) return std::nullopt;
  return static_cast<std::int64_t>(v);
}

}  // namespace

// --- paths and faults ---

std::string Value::Path() const {
  if (!parent_ || !parent_->present_) return std::string(name_);
  std::string head = parent_->Path();
  if (name_.empty() && !map_key_) return head + "[" + std::to_string(index_) + "]";
  return head.empty() ? std::string(name_) : head + "." + std::string(name_);
}

void Value::Fail(std::string_view what) const {
  if (input_) input_->Fail(Path() + ": " + std::string(what));
}

void Value::FailConstraint(std::string_view shown, std::string_view constraint) const {
  input_->Fail("1 validation error detected: Value '" + Shown(shown) + "' at '" + Path() +
               "' failed to satisfy constraint: Member must " + std::string(constraint));
}

// --- structure ---

bool Value::IsStruct() const {
  if (!present_) return false;
  if (node_ && Node(node_)->is_object()) return true;
  Fail("must be a structure");
  return false;
}

Value Value::Child(const void* node, std::string_view name) const {
  Value child;
  child.input_ = input_;
  child.node_ = node;
  child.parent_ = this;
  child.name_ = name;
  child.present_ = node != nullptr && input_->ok();
  return child;
}

Value Value::Member(std::string_view name, bool required) const {
  if (!present_ || !input_->ok()) return {};
  const json& object = *Node(node_);
  auto found = object.find(name);
  if (found != object.end() && !found->is_null()) return Child(&*found, name);
  if (required) {
    Value missing = Child(node_, name);
    missing.FailConstraint("null", "not be null");
  }
  return {};
}

std::size_t Value::ListSize(const SizeRule& rule) const {
  if (!present_) return 0;
  // A form cannot tell an empty list from an empty text.
  if (input_->IsForm() && node_ && Node(node_)->is_string() && Text("a list").empty()) return 0;
  if (!node_ || !Node(node_)->is_array()) {
    Fail("must be a list");
    return 0;
  }
  std::size_t size = Node(node_)->size();
  return SizeFits("list", size, rule) ? size : 0;
}

bool Value::SizeFits(std::string_view what, std::size_t size, const SizeRule& rule) const {
  if (size >= rule.min && size <= rule.max) return true;
  bool less = size < rule.min;
  FailConstraint(std::string(what) + " of " + std::to_string(size),
                 std::string("have length ") + (less ? "greater" : "less") + " than or equal to " +
                     std::to_string(less ? rule.min : rule.max));
  return false;
}

Value Value::Item(std::size_t index) const {
  Value child = Child(&(*Node(node_))[index], {});
  child.index_ = index;
  return child;
}

void Value::ForEachEntry(const SizeRule& rule,
                         const std::function<void(const Value& key, const Value& entry)>& visit) const {
  if (!present_) return;
  if (!node_ || !Node(node_)->is_object()) return Fail("must be a map");
  if (!SizeFits("map", Node(node_)->size(), rule)) return;
  for (auto& [name, node] : Node(node_)->items()) {
    Value entry = Child(&node, name);
    entry.map_key_ = true;
    if (node.is_null()) entry.Fail("must not be null");
    Value key = entry;
    key.node_ = nullptr;
    key.text_ = name;
    visit(key, entry);
    if (!input_->ok()) return;
  }
}

// --- scalars ---

/// The value's text when it is one; records "must be EXPECTED" otherwise.
std::string_view Value::Text(std::string_view expected) const {
  if (!present_) return {};
  if (!node_) return text_;
  if (Node(node_)->is_string()) return Node(node_)->get_ref<const std::string&>();
  Fail("must be " + std::string(expected));
  return {};
}

std::string Value::String(const StringRule& rule) const {
  std::string_view text = Text("a string");
  if (!present_ || !input_->ok()) return {};
  if (!IsUtf8(text)) {
    Fail("must be UTF-8");
    return {};
  }
  std::string_view shown = rule.sensitive ? "(hidden)" : text;
  std::uint64_t length = CodePoints(text);
  if (length < rule.min) {
    FailConstraint(shown, "have length greater than or equal to " + std::to_string(rule.min));
  } else if (length > rule.max) {
    FailConstraint(shown, "have length less than or equal to " + std::to_string(rule.max));
  } else if (rule.pattern && !rule.pattern->Matches(text)) {
    FailConstraint(shown, "satisfy regular expression pattern: " + std::string(rule.pattern->shown()));
  }
  return std::string(text);
}

bool Value::Bool() const {
  if (!present_) return false;
  if (node_ && Node(node_)->is_boolean()) return Node(node_)->get<bool>();
  bool text_allowed = !node_ || input_->IsForm();
  std::string_view text = text_allowed ? Text("a boolean") : std::string_view();
  if (text == "true" || text == "True") return true;
  if (text != "false" && text != "False") Fail("must be true or false");
  return false;
}

std::int64_t Value::Long(const IntRule& rule) const {
  if (!present_) return 0;
  bool is_text = !node_ || input_->IsForm();
  std::optional<std::int64_t> number = is_text ? Parse<std::int64_t>(Text("an integer")) : Whole(*Node(node_));
  if (!number) {
    Fail("must be an integer");
    return 0;
  }
  if (*number < rule.min) {
    FailConstraint(std::to_string(*number), "have value greater than or equal to " + std::to_string(rule.min));
  } else if (*number > rule.max) {
    FailConstraint(std::to_string(*number), "have value less than or equal to " + std::to_string(rule.max));
  }
  return *number;
}

std::int32_t Value::Int(const IntRule& rule) const {
  std::int64_t number = Long(rule);
  if (number == static_cast<std::int32_t>(number)) return static_cast<std::int32_t>(number);
  Fail("must be a 32-bit integer");
  return 0;
}

double Value::Double(const DoubleRule& rule) const {
  if (!present_) return 0;
  bool is_text = !node_ || input_->IsForm();
  std::optional<double> number;
  if (is_text) {
    number = Parse<double>(Text("a number"));
  } else if (Node(node_)->is_number()) {
    number = Node(node_)->get<double>();
  }
  if (!number || !std::isfinite(*number)) {
    Fail("must be a number");
    return 0;
  }
  if (*number < rule.min) {
    FailConstraint(std::to_string(*number), "have value greater than or equal to " + std::to_string(rule.min));
  } else if (*number > rule.max) {
    FailConstraint(std::to_string(*number), "have value less than or equal to " + std::to_string(rule.max));
  }
  return *number;
}

Timestamp Value::Time() const {
  if (!present_) return {};
  bool is_number = node_ && Node(node_)->is_number();
  std::optional<Timestamp> time =
      is_number ? FromEpochSeconds(Node(node_)->get<double>()) : ParseTime(Text("a time"));
  if (!time) Fail("must be a time: epoch seconds or ISO 8601");
  return time.value_or(Timestamp());
}

std::string Value::Blob(const SizeRule& rule) const {
  std::string_view text = Text("base64 text");
  if (!present_ || !input_->ok()) return {};
  std::optional<std::string> bytes = node_ ? Base64Decode(text) : std::string(text);
  if (!bytes) {
    Fail("must be base64 text");
    return {};
  }
  if (bytes->size() < rule.min || bytes->size() > rule.max) {
    FailConstraint(std::to_string(bytes->size()) + " bytes", "have length between " + std::to_string(rule.min) +
                                                                 " and " + std::to_string(rule.max));
  }
  return std::move(*bytes);
}

std::size_t Value::Enum(std::span<const std::string_view> names) const {
  std::string_view text = Text("a string");
  if (!present_ || !input_->ok()) return 0;
  if (std::optional<std::size_t> index = EnumIndex(names, text)) return *index;
  std::string set;
  for (std::string_view name : names) set += (set.empty() ? "" : ", ") + std::string(name);
  FailConstraint(text, "satisfy enum value set: [" + set + "]");
  return 0;
}

std::string Value::Json() const {
  if (!present_) return {};
  if (node_) return Node(node_)->dump(-1, ' ', false, json::error_handler_t::replace);
  std::optional<std::string> decoded = Base64Decode(text_);
  if (decoded && json::accept(*decoded)) return std::move(*decoded);
  Fail("must be base64 of JSON");
  return {};
}

}  // namespace fleetward::api::codec
