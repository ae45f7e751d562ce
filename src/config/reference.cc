#include <charconv>

#include "fleetward/config/option.h"
#include "text.h"

namespace fleetward::config {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string Number(double value) {
  char buffer[32];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::string text(buffer, end);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

std::string Rules(const OptionSpec& option) {
  constexpr OptionSpec kUnbounded{};
  if (!option.choices.empty()) {
    std::string rules = "one of";
    for (std::string_view choice : SplitAt(option.choices, '|')) {
      if (!choice.empty()) rules += " `" + std::string(choice) + "`";
    }
    return rules;
  }
  if (option.min == kUnbounded.min && option.max == kUnbounded.max) return {};
  return std::to_string(option.min) + " to " + std::to_string(option.max);
}

std::string Row(const OptionSpec& option, void* defaults) {
  std::string_view type = TypeName(option.member(defaults));
  std::string rules = Rules(option);
  std::string row = "| `" + std::string(option.name) + "` | " + std::string(type);
  if (!rules.empty()) row += ", " + rules;
  row += " | `" + FormatValue(option, defaults) + "` | " + std::string(option.help);
  if (!option.example.empty()) row += " Example: `" + std::string(option.example) + "`";
  return row + " |\n";
}

constexpr std::string_view kHead = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n";

}  // namespace

std::string FormatValue(const OptionSpec& option, void* options) {
  ValueRef ref = option.member(options);
  if (auto* v = std::get_if<bool*>(&ref)) return **v ? "true" : "false";
  if (auto* v = std::get_if<std::int64_t*>(&ref)) return std::to_string(**v);
  if (auto* v = std::get_if<double*>(&ref)) return Number(**v);
  if (auto* v = std::get_if<std::string*>(&ref)) {
    return option.secret && !(*v)->empty() ? "(secret)" : Quoted(**v);
  }
  std::string out = "[";
  for (const std::string& item : **std::get_if<std::vector<std::string>*>(&ref)) {
    if (out.size() > 1) out += ", ";
    out += Quoted(item);
  }
  return out + "]";
}

std::string ReferencePage(const OptionTable& table, void* defaults) {
  std::string page = "## " + std::string(table.title) + "\n\n" + std::string(kHead);
  for (const OptionSpec& option : table.options) page += Row(option, defaults);
  for (const ListSpec& list : table.lists) {
    page += "\n### `[[" + std::string(list.name) + "]]`\n\n" + std::string(list.help) + "\n\n" + std::string(kHead);
    void* element = list.append(defaults);
    for (const OptionSpec& option : list.options) page += Row(option, element);
  }
  return page;
}

}  // namespace fleetward::config
