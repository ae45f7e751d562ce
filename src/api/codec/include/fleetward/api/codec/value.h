// Reading a call's input: one view over JSON bodies, form bodies, and text from URIs, query strings and headers.
// Generated readers walk it; the first fault is remembered with the member's path and later reads yield nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "fleetward/api/codec/message.h"
#include "fleetward/api/codec/rules.h"
#include "fleetward/base/result.h"
#include "fleetward/base/time.h"

namespace fleetward::api::codec {

inline constexpr bool kRequired = true;

class Input;

/// A node of the input, or nothing. Values point to their parents: keep the parent alive while using a child.
class Value {
 public:
  Value() = default;
  explicit operator bool() const { return present_; }

  /// True for a structure; records an error otherwise.
  bool IsStruct() const;
  /// A member of a structure; nothing when absent or null. Records an error when `required` and absent.
  Value Member(std::string_view name, bool required = false) const;

  std::string String(const StringRule& rule = {}) const;
  bool Bool() const;
  std::int32_t Int(const IntRule& rule = {}) const;
  std::int64_t Long(const IntRule& rule = {}) const;
  double Double(const DoubleRule& rule = {}) const;
  /// Epoch seconds with a fraction, or ISO 8601.
  Timestamp Time() const;
  /// Base64 in JSON and forms; raw bytes otherwise.
  std::string Blob(const SizeRule& rule = {}) const;
  /// Index into `names`; records an error when the text is none of them.
  std::size_t Enum(std::span<const std::string_view> names) const;
  /// A document kept as it is: its JSON text.
  std::string Json() const;

  /// Number of elements after checking type and rule; 0 after an error.
  std::size_t ListSize(const SizeRule& rule = {}) const;
  Value Item(std::size_t index) const;
  /// Calls `visit` for each entry, keys in byte order, after checking type and rule.
  void ForEachEntry(const SizeRule& rule,
                    const std::function<void(const Value& key, const Value& entry)>& visit) const;

  /// Records a fault of this value: "behaviors[0].name: WHAT".
  void Fail(std::string_view what) const;
  std::string Path() const;

 private:
  friend class Input;
  Value Child(const void* node, std::string_view name) const;
  std::string_view Text(std::string_view expected) const;
  bool SizeFits(std::string_view what, std::size_t size, const SizeRule& rule) const;
  void FailConstraint(std::string_view shown, std::string_view constraint) const;
  Input* input_ = nullptr;
  const void* node_ = nullptr;  // nlohmann::json, or null for text
  const Value* parent_ = nullptr;
  std::string_view name_;       // in its parent, or empty for a list's item
  std::size_t index_ = 0;
  std::string_view text_;
  bool present_ = false;
  bool map_key_ = false;
};

/// A parsed call. Not copyable; one thread.
class Input {
 public:
  /// REST-JSON: members come from `parts` by their location; `body` is parsed when first asked for.
  static Input Rest(const RequestParts& parts);
  /// Query protocol: all members come from the form in parts.query (Name.member.1=, Name.entry.1.key=).
  static Input Form(const RequestParts& parts);
  /// A JSON document of our own, e.g. a stored one.
  static Input Document(std::string_view json);
  Input(Input&&) noexcept;
  ~Input();

  /// The body's structure (empty structure for an empty body), or the form's.
  Value Root();
  Value Label(std::string_view name, bool required = false);
  Value Query(std::string_view name, bool required = false);
  Value Header(std::string_view name, bool required = false);
  /// The body's bytes as one blob.
  Value RawBody();

  bool ok() const { return !error_; }
  bool IsForm() const;
  /// The first fault, kInvalidArgument, or success.
  Status Finish() const;

 private:
  friend class Value;
  struct State;
  Input();
  Value TextValue(std::string_view name, const std::string* text, bool required);
  void Fail(std::string message);
  std::unique_ptr<State> state_;
  std::unique_ptr<Error> error_;
};

}  // namespace fleetward::api::codec
