// JSON and CBOR writers with one interface: the number of members or elements is told first, as CBOR wants it.
#pragma once

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace fleetward::report {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void BeginObject(std::size_t) { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray(std::size_t) { Open('['); }
  void EndArray() { Close(']'); }
  void Key(std::string_view name) {
    Text(name);
    out_ += ':';
    first_ = true;  // no comma before the value
  }
  void Unsigned(std::uint64_t value) { Number(value); }
  void Double(double value) { Number(value); }
  void Text(std::string_view text) {
    Separate();
    out_ += '"';
    for (char c : text) {
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        out_ += "\\u00";
        out_ += "01"[c >> 4];
        out_ += "0123456789abcdef"[c & 15];
      } else {
        out_ += c;
      }
    }
    out_ += '"';
  }

 private:
  void Separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  void Open(char bracket) {
    Separate();
    out_ += bracket;
    first_ = true;
  }
  void Close(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  template <class T>
  void Number(T value) {
    Separate();
    char buffer[32];
    auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    out_.append(buffer, end);
  }

  std::string& out_;
  bool first_ = true;
};

class CborWriter {
 public:
  explicit CborWriter(std::string& out) : out_(out) {}

  void BeginObject(std::size_t members) { Head(5, members); }
  void EndObject() {}
  void BeginArray(std::size_t elements) { Head(4, elements); }
  void EndArray() {}
  void Key(std::string_view name) { Text(name); }
  void Unsigned(std::uint64_t value) { Head(0, value); }
  /// Whole numbers as integers: shorter, and exact up to 2^53.
  void Double(double value) {
    if (value == std::floor(value) && std::fabs(value) <= 9007199254740992.0) {
      return value < 0 ? Head(1, static_cast<std::uint64_t>(-1.0 - value)) : Head(0, static_cast<std::uint64_t>(value));
    }
    out_ += static_cast<char>(0xfb);
    BigEndian(std::bit_cast<std::uint64_t>(value), 8);
  }
  void Text(std::string_view text) {
    Head(3, text.size());
    out_.append(text);
  }

 private:
  void Head(unsigned major, std::uint64_t argument) {
    unsigned info = argument < 24 ? static_cast<unsigned>(argument)
                    : argument < 0x100 ? 24 : argument < 0x10000 ? 25 : argument < 0x100000000 ? 26 : 27;
    out_ += static_cast<char>(major << 5 | info);
    if (info >= 24) BigEndian(argument, 1 << (info - 24));
  }
  void BigEndian(std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out_ += static_cast<char>(value >> shift & 0xff);
  }

  std::string& out_;
};

}  // namespace fleetward::report
