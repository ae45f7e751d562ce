// The fields that stored records are made of: a version byte, then ByteWriter's forms (docs/storage-control-plane.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/base/encoding.h"
#include "fleetward/base/id128.h"
#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/registry/objects.h"

namespace fleetward::registry {

inline constexpr std::uint8_t kRecordVersion = 1;

class RecordWriter : public ByteWriter {
 public:
  explicit RecordWriter(std::string& out) : ByteWriter(out) { U8(kRecordVersion); }
  void Time(Timestamp time) { SignedVarint(ToMillis(time)); }
  void Id(const Id128& id) { Raw(id.Bytes()); }
  void Map(const Attributes& attributes) {
    Varint(attributes.size());
    for (const auto& [name, value] : attributes) {
      Bytes(name);
      Bytes(value);
    }
  }
  /// Whether there is a value, then the value as `write` puts it.
  template <class T, class Write>
  void Optional(const std::optional<T>& value, Write&& write) {
    U8(value ? 1 : 0);
    if (value) write(*value);
  }
  template <class T, class Write>
  void List(const std::vector<T>& list, Write&& write) {
    Varint(list.size());
    for (const T& item : list) write(item);
  }
};

class RecordReader : public ByteReader {
 public:
  explicit RecordReader(std::string_view in) : ByteReader(in) { good_ = U8() == kRecordVersion; }
  Timestamp Time() { return FromMillis(SignedVarint()); }
  Id128 Id() { return Id128::FromBytes(Raw(16)).value_or(Id128{}); }
  std::string Text() { return std::string(Bytes()); }
  Attributes Map() {
    Attributes attributes;
    for (std::uint64_t left = Varint(); left > 0 && ok(); --left) {
      std::string name = Text();
      attributes[std::move(name)] = Text();
    }
    return attributes;
  }
  template <class T, class Read>
  std::optional<T> Optional(Read&& read) {
    if (U8() != 1) return std::nullopt;
    return std::optional<T>(read());
  }
  template <class T, class Read>
  std::vector<T> List(Read&& read) {
    std::vector<T> list;
    for (std::uint64_t left = Varint(); left > 0 && ok(); --left) list.push_back(read());
    return list;
  }
  void Damaged() { good_ = false; }
  template <class T>
  Result<T> Finish(T value, std::string_view what) {
    if (good_ && ok() && AtEnd()) return value;
    return Error(Code::kCorrupt, "the stored " + std::string(what) + " is damaged");
  }

 private:
  bool good_;
};

}  // namespace fleetward::registry
