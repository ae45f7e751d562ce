#include "toml.h"

#include <utility>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ASSERT(condition) static_cast<void>(0)  // outside input never ends the process
#define TOML_ENABLE_WINDOWS_COMPAT 0
#define TOML_FLOAT_CHARCONV 1  // else it pulls streams and locales into the agent: 400 kB
#define TOML_INT_CHARCONV 1
#include <toml++/toml.h>

namespace fleetward::config {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr int kMaxDepth = 8;

class Flattener {
 public:
  Flattener(std::string_view source, TomlDocument& document) : source_(source), document_(document) {}

  Status Table(const toml::table& table, const std::string& prefix, std::vector<TomlEntry>& entries, int depth) {
    if (depth > kMaxDepth) return Fault(table, "tables are nested too deeply");
    for (const auto& [key, node] : table) {
      std::string name = prefix.empty() ? std::string(key.str()) : prefix + "." + std::string(key.str());
      if (const toml::table* inner = node.as_table()) {
        FW_TRY(Table(*inner, name, entries, depth + 1));
      } else if (const toml::array* list = node.as_array(); list != nullptr && list->is_array_of_tables()) {
        FW_TRY(Elements(*list, name, &entries == &document_.entries, depth));
      } else {
        TomlEntry entry{name, {}, node.source().begin.line};
        FW_ASSIGN(entry.value, Value(node));
        entries.push_back(std::move(entry));
      }
    }
    return {};
  }

 private:
  Status Elements(const toml::array& list, const std::string& name, bool top, int depth) {
    if (!top) return Fault(list, "[[" + name + "]] cannot stand inside another list of tables");
    for (const toml::node& node : list) {
      TomlElement element{name, node.source().begin.line, {}};
      FW_TRY(Table(*node.as_table(), {}, element.entries, depth + 1));
      document_.elements.push_back(std::move(element));
    }
    return {};
  }

  Result<TomlValue> Value(const toml::node& node) {
    if (auto* v = node.as_boolean()) return TomlValue(v->get());
    if (auto* v = node.as_integer()) return TomlValue(v->get());
    if (auto* v = node.as_floating_point()) return TomlValue(v->get());
    if (auto* v = node.as_string()) return TomlValue(v->get());
    if (auto* list = node.as_array()) {
      std::vector<std::string> texts;
      for (const toml::node& item : *list) {
        auto* text = item.as_string();
        if (text == nullptr) return Fault(item, "a list holds texts only");
        texts.push_back(text->get());
      }
      return TomlValue(std::move(texts));
    }
    return Fault(node, "dates and times are not used here");
  }

  Error Fault(const toml::node& node, const std::string& what) {
    return Error(Code::kInvalidArgument,
                 std::string(source_) + ":" + std::to_string(node.source().begin.line) + ": " + what);
  }

  std::string_view source_;
  TomlDocument& document_;
};

/// The line of the first byte that TOML does not allow where it stands, with what is wrong; line 0: none. The library
/// asserts on control characters, and calls it unreachable when it meets some letters outside of quotes and comments.
struct BadByte {
  std::uint32_t line = 0;
  const char* what = "";
};
BadByte FindBadByte(std::string_view text) {
  std::uint32_t line = 1;
  std::string_view quote;  // what ends the string around us; "#" in a comment
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) return {line, "a control character"};
    if (c >= 0x80 && quote.empty()) return {line, "only ASCII may stand outside of quotes and comments"};
    if (c == '\n') {
      ++line;
      if (quote.size() == 1) quote = {};  // only """ and ''' go on
    } else if (quote == "#") {
      continue;
    } else if (!quote.empty()) {
      bool escape = c == '\\' && quote[0] == '"' && i + 1 < text.size();
      if (escape && (text[i + 1] == '"' || text[i + 1] == '\\')) {
        ++i;
      } else if (text.substr(i).starts_with(quote)) {
        i += quote.size() - 1;
        quote = {};
      }
    } else if (c == '#') {
      quote = "#";
    } else if (c == '"' || c == '\'') {
      bool three = text.size() - i >= 3 && text[i + 1] == text[i] && text[i + 2] == text[i];
      quote = c == '"' ? (three ? "\"\"\"" : "\"") : (three ? "'''" : "'");
      i += quote.size() - 1;
    }
  }
  return {};
}

}  // namespace

Result<TomlDocument> ParseToml(std::string_view text, std::string_view source) {
  if (text.size() > kMaxBytes) {
    return Error(Code::kInvalidArgument, std::string(source) + ": larger than 1 MiB");
  }
  if (BadByte bad = FindBadByte(text); bad.line != 0) {
    return Error(Code::kInvalidArgument, std::string(source) + ":" + std::to_string(bad.line) + ": " + bad.what);
  }
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Error(Code::kInvalidArgument, std::string(source) + ":" + std::to_string(error.source().begin.line) + ": " +
                                             std::string(error.description()));
  }
  TomlDocument document;
  FW_TRY(Flattener(source, document).Table(parsed.table(), {}, document.entries, 0));
  return document;
}

}  // namespace fleetward::config
