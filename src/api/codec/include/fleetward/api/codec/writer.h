// Writing answers: generated code describes a value once, a Writer gives it the protocol's form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/time.h"

namespace fleetward::api::codec {

class Writer {
 public:
  virtual ~Writer() = default;
  virtual void BeginStruct() = 0;
  /// Before each member's value.
  virtual void Member(std::string_view name) = 0;
  virtual void EndStruct() = 0;
  virtual void BeginList() = 0;
  /// Before each item.
  virtual void Item() = 0;
  virtual void EndList() = 0;
  virtual void BeginMap() = 0;
  /// Before each entry's value.
  virtual void Key(std::string_view key) = 0;
  virtual void EndMap() = 0;
  virtual void String(std::string_view value) = 0;
  virtual void Bool(bool value) = 0;
  virtual void Int(std::int64_t value) = 0;
  virtual void Double(double value) = 0;
  virtual void Time(Timestamp value) = 0;
  virtual void Blob(std::string_view bytes) = 0;
  /// `json` is a complete JSON text, put in as it is.
  virtual void Json(std::string_view json) = 0;
};

/// Compact JSON text, members in the model's order. Bytes that are no UTF-8 become U+FFFD.
class JsonWriter : public Writer {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}
  void BeginStruct() override { Open('{'); }
  void Member(std::string_view name) override { Key(name); }
  void EndStruct() override { Close('}'); }
  void BeginList() override { Open('['); }
  void Item() override { Separate(); }
  void EndList() override { Close(']'); }
  void BeginMap() override { Open('{'); }
  void Key(std::string_view key) override;
  void EndMap() override { Close('}'); }
  void String(std::string_view value) override;
  void Bool(bool value) override { out_ += value ? "true" : "false"; }
  void Int(std::int64_t value) override { out_ += std::to_string(value); }
  void Double(double value) override;
  void Time(Timestamp value) override;
  void Blob(std::string_view bytes) override;
  void Json(std::string_view json) override { out_ += json; }

 private:
  void Open(char bracket);
  void Close(char bracket);
  void Separate();
  std::string& out_;
  std::vector<bool> filled_;
};

/// The query protocol's XML: lists as <member>, maps as <entry><key/><value/></entry>, times in ISO 8601. The
/// caller writes the outermost element.
class XmlWriter : public Writer {
 public:
  explicit XmlWriter(std::string& out) : out_(out) {}
  void BeginStruct() override { stack_.push_back({}); }
  void Member(std::string_view name) override;
  void EndStruct() override;
  void BeginList() override { stack_.push_back({}); }
  void Item() override { Member("member"); }
  void EndList() override { EndStruct(); }
  void BeginMap() override { stack_.push_back({}); }
  void Key(std::string_view key) override;
  void EndMap() override { EndStruct(); }
  void String(std::string_view value) override;
  void Bool(bool value) override { out_ += value ? "true" : "false"; }
  void Int(std::int64_t value) override { out_ += std::to_string(value); }
  void Double(double value) override;
  void Time(Timestamp value) override { out_ += Iso8601(value); }
  void Blob(std::string_view bytes) override;
  void Json(std::string_view json) override { String(json); }

 private:
  struct Level {
    std::string close;  // closing tags of the member that is open
  };
  std::string& out_;
  std::vector<Level> stack_;
};

/// XML text: markup escaped, characters that XML 1.0 cannot hold replaced by U+FFFD (threats.md w).
std::string XmlEscape(std::string_view text);

}  // namespace fleetward::api::codec
