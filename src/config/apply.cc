#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "fleetward/base/file.h"
#include "fleetward/config/option.h"
#include "text.h"
#include "toml.h"

namespace fleetward::config {
namespace {

Error Invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

// Edit distance, for "did you mean". Names are short, so the quadratic table is small.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      std::size_t cost = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({cost, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

const OptionSpec* FindIn(std::span<const OptionSpec> options, std::string_view name) {
  for (const OptionSpec& option : options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

Error UnknownKey(std::span<const OptionSpec> options, std::string_view name) {
  std::string message = "unknown key " + std::string(name.substr(0, 128));
  const OptionSpec* nearest = nullptr;
  std::size_t best = 4;
  for (const OptionSpec& option : options) {
    std::size_t distance = name.size() < 128 ? Distance(name, option.name) : best;
    if (distance < best) {
      best = distance;
      nearest = &option;
    }
  }
  if (nearest != nullptr) message += " (did you mean " + std::string(nearest->name) + "?)";
  return Invalid(message);
}

Status CheckBounds(const OptionSpec& option, double value) {
  if (value >= static_cast<double>(option.min) && value <= static_cast<double>(option.max)) return {};
  return Invalid("must be from " + std::to_string(option.min) + " to " + std::to_string(option.max));
}

Status CheckChoice(const OptionSpec& option, std::string_view value) {
  if (option.choices.empty()) return {};
  for (std::string_view choice : SplitAt(option.choices, '|')) {
    if (choice == value) return {};
  }
  return Invalid("must be one of " + std::string(option.choices));
}

Error WrongType(const ValueRef& ref) { return Invalid("must be " + std::string(TypeName(ref))); }

// Stores a value of the file, if its type is the member's.
Status Store(const OptionSpec& option, const ValueRef& ref, const TomlValue& value) {
  if (auto* member = std::get_if<bool*>(&ref)) {
    auto* given = std::get_if<bool>(&value);
    if (given == nullptr) return WrongType(ref);
    **member = *given;
  } else if (auto* member = std::get_if<std::int64_t*>(&ref)) {
    auto* given = std::get_if<std::int64_t>(&value);
    if (given == nullptr) return WrongType(ref);
    FW_TRY(CheckBounds(option, static_cast<double>(*given)));
    **member = *given;
  } else if (auto* member = std::get_if<double*>(&ref)) {
    const auto* real = std::get_if<double>(&value);
    const auto* whole = std::get_if<std::int64_t>(&value);
    if (real == nullptr && whole == nullptr) return WrongType(ref);
    double number = real != nullptr ? *real : static_cast<double>(*whole);
    if (!std::isfinite(number)) return Invalid("must be a finite number");
    FW_TRY(CheckBounds(option, number));
    **member = number;
  } else if (auto* member = std::get_if<std::string*>(&ref)) {
    auto* given = std::get_if<std::string>(&value);
    if (given == nullptr) return WrongType(ref);
    FW_TRY(CheckChoice(option, *given));
    **member = *given;
  } else if (auto* member = std::get_if<std::vector<std::string>*>(&ref)) {
    auto* given = std::get_if<std::vector<std::string>>(&value);
    if (given == nullptr) return WrongType(ref);
    **member = *given;
  }
  if (option.check != nullptr) FW_TRY(option.check(ref));
  return {};
}

// Turns the text of `--set` into what a file would have held.
Result<TomlValue> FromText(const ValueRef& ref, std::string_view text) {
  if (std::holds_alternative<bool*>(ref)) {
    if (text != "true" && text != "false") return WrongType(ref);
    return TomlValue(text == "true");
  }
  if (std::holds_alternative<std::int64_t*>(ref)) {
    std::int64_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return WrongType(ref);
    return TomlValue(number);
  }
  if (std::holds_alternative<double*>(ref)) {
    double number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return WrongType(ref);
    return TomlValue(number);
  }
  if (std::holds_alternative<std::string*>(ref)) return TomlValue(std::string(text));
  std::vector<std::string> items;
  for (std::string_view item : SplitAt(text, ',')) {
    if (!item.empty()) items.emplace_back(item);
  }
  return TomlValue(std::move(items));
}

Status StoreEntry(std::span<const OptionSpec> options, const TomlEntry& entry, std::string_view source, void* target) {
  std::string where = std::string(source) + ":" + std::to_string(entry.line);
  const OptionSpec* option = FindIn(options, entry.key);
  if (option == nullptr) return UnknownKey(options, entry.key).Prefixed(where);
  Status stored = Store(*option, option->member(target), entry.value);
  if (!stored.ok()) return Error(stored.error()).Prefixed(where + ": " + entry.key);
  return {};
}

Status StoreElement(const OptionTable& table, const TomlElement& element, std::string_view source, void* options) {
  std::string where = std::string(source) + ":" + std::to_string(element.line);
  for (const ListSpec& list : table.lists) {
    if (list.name != element.name) continue;
    void* target = list.append(options);
    for (const TomlEntry& entry : element.entries) FW_TRY(StoreEntry(list.options, entry, source, target));
    if (list.finish == nullptr) return {};
    Status finished = list.finish(target);
    if (!finished.ok()) return Error(finished.error()).Prefixed(where + ": [[" + element.name + "]]");
    return {};
  }
  return Invalid(where + ": unknown list of tables [[" + element.name + "]]");
}

}  // namespace

const OptionSpec* OptionTable::Find(std::string_view name) const { return FindIn(options, name); }

Status ApplyToml(const OptionTable& table, std::string_view text, std::string_view source, void* options) {
  FW_ASSIGN(TomlDocument document, ParseToml(text, source));
  for (const TomlEntry& entry : document.entries) FW_TRY(StoreEntry(table.options, entry, source, options));
  for (const TomlElement& element : document.elements) FW_TRY(StoreElement(table, element, source, options));
  return {};
}

Status ApplyFile(const OptionTable& table, const std::string& path, void* options) {
  FW_ASSIGN(std::string text, ReadFile(path, 1 << 20));
  return ApplyToml(table, text, path, options);
}

Status ApplySetting(const OptionTable& table, std::string_view setting, void* options) {
  std::size_t equals = setting.find('=');
  if (equals == std::string_view::npos) return Invalid("a setting is key=value, not \"" + std::string(setting) + "\"");
  std::string_view key = setting.substr(0, equals);
  const OptionSpec* option = table.Find(key);
  if (option == nullptr) return UnknownKey(table.options, key);
  ValueRef ref = option->member(options);
  Result<TomlValue> value = FromText(ref, setting.substr(equals + 1));
  if (!value.ok()) return Error(value.error()).Prefixed(key);
  Status stored = Store(*option, ref, *value);
  if (!stored.ok()) return Error(stored.error()).Prefixed(key);
  return {};
}

}  // namespace fleetward::config
