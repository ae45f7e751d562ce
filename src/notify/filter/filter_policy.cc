#include "fleetward/notify/filter_policy.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "condition.h"
#include "fleetward/base/encoding.h"

namespace fleetward::notify {

using nlohmann::json;

/// A key: either conditions (a leaf) or further keys.
struct FilterPolicy::Node {
  std::vector<Condition> conditions;
  std::map<std::string, Node> keys;
};

namespace {

using Node = FilterPolicy::Node;

constexpr std::size_t kMaxPolicyBytes = 256 * 1024;
constexpr std::size_t kMaxKeys = 5;
constexpr std::size_t kMaxCombinations = 150;
constexpr std::size_t kMaxDepth = 32;

struct Totals {
  std::size_t keys = 0;
  std::size_t combinations = 1;
};

Error Bad(const std::string& key, std::string_view why) {
  return Error(Code::kInvalidArgument, "FilterPolicy: " + (key.empty() ? "" : key.substr(0, 128) + ": ") + std::string(why));
}

Status ParseLeaf(const std::string& key, const json& values, std::size_t depth, Node& node, Totals& totals) {
  if (values.empty()) return Bad(key, "Empty arrays are not allowed");
  if (++totals.keys > kMaxKeys) return Bad("", "Filter policy can not have more than 5 keys");
  // Bounded before it can overflow: both factors are at most the policy's length.
  totals.combinations *= values.size() * depth;
  if (totals.combinations > kMaxCombinations) return Bad("", "Filter policy is too complex");
  for (const json& value : values) {
    auto condition = Condition::Parse(value);
    if (!condition.ok()) return Bad(key, condition.error().message());
    node.conditions.push_back(std::move(*condition));
  }
  return {};
}

Status ParseKeys(const json& object, FilterScope scope, std::size_t depth, Node& node, Totals& totals) {
  if (depth > kMaxDepth) return Bad("", "keys are nested too deeply");
  for (const auto& [key, value] : object.items()) {
    Node& child = node.keys[key];
    if (value.is_array()) {
      FW_TRY(ParseLeaf(key, value, depth, child, totals));
    } else if (value.is_object() && scope == FilterScope::kMessageBody) {
      if (value.empty()) return Bad(key, "Empty objects are not allowed");
      FW_TRY(ParseKeys(value, scope, depth + 1, child, totals));
    } else if (value.is_object()) {
      return Bad(key, "Filter policy scope MessageAttributes does not support nested filter policy");
    } else {
      return Bad(key, "must be an object or an array");
    }
  }
  return {};
}

/// Whether what is shown under one key satisfies a leaf.
bool LeafAccepts(const Node& leaf, bool present, const std::vector<Shown>& shown) {
  return std::any_of(leaf.conditions.begin(), leaf.conditions.end(), [&](const Condition& condition) {
    if (condition.wants_absent()) return !present;
    if (condition.wants_present()) return present;
    return std::any_of(shown.begin(), shown.end(), [&](const Shown& each) { return condition.Accepts(each); });
  });
}

// Everything that the values under one key show; lists show their elements.
void Collect(const json& value, std::vector<Shown>& shown) {
  if (!value.is_array()) {
    if (auto one = ShownOf(value)) shown.push_back(*one);
    return;
  }
  for (const json& each : value) {
    if (auto one = ShownOf(each)) shown.push_back(*one);
  }
}

// `objects`: all objects found at this place of the message; lists of objects are looked into.
bool KeysAccept(const Node& node, const std::vector<const json*>& objects) {
  for (const auto& [key, child] : node.keys) {
    std::vector<const json*> under;
    for (const json* object : objects) {
      auto found = object->find(key);
      if (found != object->end()) under.push_back(&*found);
    }
    if (!child.conditions.empty()) {
      std::vector<Shown> shown;
      for (const json* value : under) Collect(*value, shown);
      if (!LeafAccepts(child, !under.empty(), shown)) return false;
      continue;
    }
    std::vector<const json*> inner;
    for (const json* value : under) {
      if (value->is_object()) inner.push_back(value);
      if (!value->is_array()) continue;
      for (const json& each : *value) {
        if (each.is_object()) inner.push_back(&each);
      }
    }
    if (!KeysAccept(child, inner)) return false;
  }
  return true;
}

bool AttributeAccepts(const Node& leaf, const MessageAttribute* attribute) {
  if (attribute == nullptr || attribute->type == "Binary") return LeafAccepts(leaf, false, {});
  if (attribute->type == "String.Array") {
    json list = json::parse(attribute->value, nullptr, false);
    std::vector<Shown> shown;
    if (!list.is_discarded()) Collect(list, shown);
    return LeafAccepts(leaf, true, shown);
  }
  if (attribute->type == "Number") {
    auto scaled = ScaledOf(std::strtod(attribute->value.c_str(), nullptr));
    return LeafAccepts(leaf, true, scaled.ok() ? std::vector<Shown>{*scaled} : std::vector<Shown>());
  }
  return LeafAccepts(leaf, true, {std::string_view(attribute->value)});
}

}  // namespace

Result<FilterPolicy> FilterPolicy::Parse(std::string_view text, FilterScope scope) {
  if (text.size() > kMaxPolicyBytes) return Bad("", "longer than 256 KB");
  json policy = IsUtf8(text) ? json::parse(text, nullptr, false) : json();
  if (!policy.is_object()) return Bad("", "failed to parse JSON: an object is needed");
  auto root = std::make_shared<Node>();
  Totals totals;
  FW_TRY(ParseKeys(policy, scope, 1, *root, totals));
  return FilterPolicy(std::move(root), scope);
}

bool FilterPolicy::Wants(const Message& message, std::string_view body) const {
  if (scope_ == FilterScope::kMessageBody) {
    if (root_->keys.empty()) return true;
    json parsed = json::parse(body, nullptr, false);
    return parsed.is_object() && KeysAccept(*root_, {&parsed});
  }
  return std::all_of(root_->keys.begin(), root_->keys.end(), [&](const auto& key) {
    auto found = message.attributes.find(key.first);
    return AttributeAccepts(key.second, found == message.attributes.end() ? nullptr : &found->second);
  });
}

}  // namespace fleetward::notify
