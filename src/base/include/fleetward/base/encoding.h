// Text encodings and a bounded byte reader and writer. Pure functions; outside input never throws.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fleetward {

std::string HexEncode(std::string_view bytes);
/// Nothing when the length is odd or a character is no hex digit.
std::optional<std::string> HexDecode(std::string_view text);

std::string Base64Encode(std::string_view bytes);
/// Standard alphabet with padding; nothing when malformed.
std::optional<std::string> Base64Decode(std::string_view text);

/// RFC 3986: everything but unreserved characters becomes %XX (upper case). `keep` lists further bytes kept.
std::string PercentEncode(std::string_view text, std::string_view keep = {});
/// Nothing when a % is not followed by two hex digits. `plus_is_space` for form bodies.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space = false);

/// True when `text` is well-formed UTF-8 (no surrogates, no overlong forms).
bool IsUtf8(std::string_view text);

/// Appends little-endian integers, LEB128 varints and length-prefixed bytes to a string.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}
  void U8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void U16(std::uint16_t v) { Fixed(v); }
  void U32(std::uint32_t v) { Fixed(v); }
  void U64(std::uint64_t v) { Fixed(v); }
  void F64(double v) { Fixed(std::bit_cast<std::uint64_t>(v)); }
  void Varint(std::uint64_t v) {
    if (v < 0x80) {  // most of them: worth the inlining
      out_.push_back(static_cast<char>(v));
    } else {
      LongVarint(v);
    }
  }
  /// Zig-zag, so small negative numbers stay short.
  void SignedVarint(std::int64_t v) {
    Varint((static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63));
  }
  void Bytes(std::string_view v) {
    Varint(v.size());
    out_.append(v);
  }
  void Raw(std::string_view v) { out_.append(v); }

 private:
  template <class T>
  void Fixed(T v) {
    char buffer[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) buffer[i] = static_cast<char>(v >> (8 * i));
    out_.append(buffer, sizeof(T));
  }
  void LongVarint(std::uint64_t v);
  std::string& out_;
};

/// Reads what ByteWriter wrote. After a read past the end ok() is false, and every later read yields zero or empty.
class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : in_(in) {}
  bool ok() const { return ok_; }
  bool AtEnd() const { return in_.empty(); }
  std::size_t remaining() const { return in_.size(); }
  std::uint8_t U8() { return Fixed<std::uint8_t>(); }
  std::uint16_t U16() { return Fixed<std::uint16_t>(); }
  std::uint32_t U32() { return Fixed<std::uint32_t>(); }
  std::uint64_t U64() { return Fixed<std::uint64_t>(); }
  double F64() { return std::bit_cast<double>(U64()); }
  std::uint64_t Varint() {
    if (!in_.empty() && static_cast<unsigned char>(in_[0]) < 0x80) {  // most of them: worth the inlining
      auto byte = static_cast<unsigned char>(in_[0]);
      in_.remove_prefix(1);
      return byte;
    }
    return LongVarint();
  }
  std::int64_t SignedVarint() {
    std::uint64_t v = Varint();
    return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
  }
  /// A view into the input.
  std::string_view Bytes() {
    std::uint64_t size = Varint();
    return Raw(size);
  }
  std::string_view Raw(std::uint64_t size) {
    if (size > in_.size()) {
      ok_ = false;
      in_ = {};
      return {};
    }
    std::string_view raw = in_.substr(0, size);
    in_.remove_prefix(size);
    return raw;
  }

 private:
  std::uint64_t LongVarint();
  template <class T>
  T Fixed() {
    std::string_view raw = Raw(sizeof(T));
    if (raw.size() != sizeof(T)) return 0;
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) v |= std::uint64_t{static_cast<unsigned char>(raw[i])} << (8 * i);
    return static_cast<T>(v);
  }
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace fleetward
