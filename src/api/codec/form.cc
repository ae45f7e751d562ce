#include "form.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace fleetward::api::codec {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;

Error Malformed(std::string_view name) {
  return Error(Code::kInvalidArgument, "Parameter " + std::string(name.substr(0, 100)) + " is malformed");
}

/// Puts one parameter into the tree, part by part.
Status Insert(json& root, std::string_view name, const std::string& value) {
  json* node = &root;
  std::string_view rest = name;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    std::size_t dot = rest.find('.');
    std::string part(rest.substr(0, dot));
    if (part.empty() || !node->is_object()) return Malformed(name);
    json& child = (*node)[part];
    if (dot == std::string_view::npos) {
      if (!child.is_null()) return Malformed(name);
      child = value;
      return {};
    }
    if (child.is_null()) child = json::object();
    node = &child;
    rest.remove_prefix(dot + 1);
  }
  return Malformed(name);
}

/// Children of a "member" or "entry" node in the order of their numbers; nothing when a key is no number.
std::optional<std::vector<json*>> Numbered(json& node) {
  if (!node.is_object()) return std::nullopt;
  std::vector<std::pair<std::uint32_t, json*>> found;
  for (auto& [key, child] : node.items()) {
    std::uint32_t number = 0;
    auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
    if (error != std::errc() || end != key.data() + key.size() || number == 0) return std::nullopt;
    found.emplace_back(number, &child);
  }
  std::sort(found.begin(), found.end());
  std::vector<json*> ordered;
  for (auto& [number, child] : found) ordered.push_back(child);
  return ordered;
}

const json* FirstOf(const json& node, const char* one, const char* other) {
  if (!node.is_object()) return nullptr;
  auto found = node.find(one);
  if (found == node.end()) found = node.find(other);
  return found == node.end() ? nullptr : &*found;
}

Status Fold(json& node, std::string_view name);

/// {"member": {"1": a, "2": b}} becomes [a, b].
Status FoldList(json& node, std::string_view name) {
  auto items = Numbered(node["member"]);
  if (!items) return Malformed(name);
  json list = json::array();
  for (json* item : *items) list.push_back(std::move(*item));
  node = std::move(list);
  return {};
}

/// {"entry": {"1": {"key": k, "value": v}}} becomes {k: v}; message attributes say "Name" and "Value".
Status FoldMap(json& node, std::string_view name) {
  auto entries = Numbered(node["entry"]);
  if (!entries) return Malformed(name);
  json map = json::object();
  for (json* entry : *entries) {
    const json* key = FirstOf(*entry, "key", "Name");
    const json* value = FirstOf(*entry, "value", "Value");
    if (!key || !key->is_string() || map.contains(key->get_ref<const std::string&>())) return Malformed(name);
    map[key->get_ref<const std::string&>()] = value ? *value : json(nullptr);
  }
  node = std::move(map);
  return {};
}

/// Turns the numbered parts into lists and maps, children first. The depth is bounded by Insert.
Status Fold(json& node, std::string_view name) {
  if (!node.is_object()) return {};
  for (auto& [key, child] : node.items()) FW_TRY(Fold(child, key));
  if (node.size() == 1 && node.contains("member")) return FoldList(node, name);
  if (node.size() == 1 && node.contains("entry")) return FoldMap(node, name);
  return {};
}

}  // namespace

Result<json> FormTree(const std::vector<NameValue>& form) {
  json root = json::object();
  for (const auto& [name, value] : form) FW_TRY(Insert(root, name, value));
  for (auto& [key, child] : root.items()) FW_TRY(Fold(child, key));
  return root;
}

}  // namespace fleetward::api::codec
