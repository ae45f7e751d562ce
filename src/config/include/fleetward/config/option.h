// Typed option tables. A program declares a plain struct with its defaults and one table of OptionSpec that binds
// each key to a member; files, `--set`, help and the reference page all follow from that table.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::config {

/// The member behind an option. Its type is the option's type.
using ValueRef = std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<std::string>*>;

/// An extra rule on an accepted value; the message says what is wrong with it ("must be host:port").
using Check = Status (*)(const ValueRef& value);

/// One option. All texts live as long as the program.
struct OptionSpec {
  std::string_view name;                 // "detect.early": table.key as in TOML
  ValueRef (*member)(void* options);     // made by Bind<&Options::member>
  std::string_view help;                 // one sentence; units belong here
  std::string_view example = {};         // a value in TOML's spelling
  std::int64_t min = std::numeric_limits<std::int64_t>::min();  // bounds of integers and numbers, inclusive
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view choices = {};         // "all|retained": the only texts allowed
  Check check = nullptr;
  bool secret = false;                   // its default and value are never printed
};

/// A repeatable table, `[[custom_metric]]`: each occurrence appends an element and fills it by `options`.
struct ListSpec {
  std::string_view name;
  std::string_view help;
  std::span<const OptionSpec> options;
  void* (*append)(void* options);        // returns the new element; it must stay put until the next append
  Status (*finish)(const void* element) = nullptr;  // rules that span several keys of one element
};

/// Everything a program can be told. `options` of the calls below is the struct that the members bind to.
struct OptionTable {
  std::string_view title;
  std::span<const OptionSpec> options;
  std::span<const ListSpec> lists = {};

  const OptionSpec* Find(std::string_view name) const;
};

template <class>
struct MemberOf;
template <class Class, class Value>
struct MemberOf<Value Class::*> {
  using Owner = Class;
};

/// ValueRef of one member of an options struct, as a plain function pointer.
template <auto kMember>
ValueRef Bind(void* options) {
  using Owner = typename MemberOf<decltype(kMember)>::Owner;
  return &(static_cast<Owner*>(options)->*kMember);
}

/// Reads TOML text into `options`. `source` names the text in errors ("fleetward.toml:12: …"). Unknown keys, wrong
/// types, values out of bounds and keys given twice are kInvalidArgument; `options` may then be half filled: throw
/// it away. Text over 1 MiB is refused.
Status ApplyToml(const OptionTable& table, std::string_view text, std::string_view source, void* options);

/// ApplyToml of a file. Errors: also kNotFound, kIo.
Status ApplyFile(const OptionTable& table, const std::string& path, void* options);

/// Applies one `key=value` of a command line. Lists are split at commas: `mqtt.listen=0.0.0.0:8883,0.0.0.0:443`.
Status ApplySetting(const OptionTable& table, std::string_view setting, void* options);

/// The value of an option in TOML's spelling; "(secret)" for secrets that are set.
std::string FormatValue(const OptionSpec& option, void* options);

/// The reference page (Markdown) of a table; `defaults` is a default-constructed options struct. docs/configuration.md
/// is made of these, and a test compares it.
std::string ReferencePage(const OptionTable& table, void* defaults);

}  // namespace fleetward::config
