// A bounded pull reader for CBOR (RFC 8949): values are read in place, one after the other, never built up in memory.
// The interface is that of grammar.h.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "endpoint.h"
#include "fleetward/base/encoding.h"
#include "fleetward/report/metric_report.h"
#include "names.h"

namespace fleetward::report {

/// Whether all of it is ASCII; overlapping words instead of a byte at a time.
[[gnu::always_inline]] inline bool IsAscii(std::string_view text) {
  constexpr std::uint64_t kHigh = 0x8080808080808080U;
  const char* at = text.data();
  std::size_t size = text.size();
  std::uint64_t word = 0;
  if (size >= 8) {
    word = LoadWord(at + size - 8);
    for (std::size_t i = 0; i + 8 < size; i += 8) word |= LoadWord(at + i);
  } else if (size >= 4) {
    std::uint32_t first, last;
    std::memcpy(&first, at, 4);
    std::memcpy(&last, at + size - 4, 4);
    word = first | last;
  } else {
    for (std::size_t i = 0; i < size; ++i) word |= static_cast<unsigned char>(at[i]);
  }
  return (word & kHigh) == 0;
}

[[gnu::always_inline]] inline bool IsText8(std::string_view text) { return IsAscii(text) || IsUtf8(text); }

class CborKey {
 public:
  CborKey(std::string_view text, std::size_t readable) : text_(text), readable_(readable) {}

  /// Names are ASCII: only a key that matches none needs to be checked for UTF-8.
  template <const auto& kNames>
  [[gnu::always_inline]] int Match() {
    std::uint64_t word = 0;
    if (readable_ >= sizeof word) [[likely]] {
      word = LoadWord(text_.data());
    } else {
      std::memcpy(&word, text_.data(), readable_);
    }
    int field = FindName<kNames>([&](const Name& name) __attribute__((always_inline)) { return name.Matches(text_, word); });
    matched_ = field >= 0;
    return field;
  }
  bool matched() const { return matched_; }

  bool Text(std::string_view& text) const {
    text = text_;
    return IsText8(text_);
  }

 private:
  std::string_view text_;
  std::size_t readable_;  // bytes from text_.data() to the end of the input
  bool matched_ = false;
};

/// The value at the reader's position. All methods of this class share that one position, so the value handed to a
/// callback is the reader itself.
class CborValue {
 public:
  explicit CborValue(std::string_view input)
      : at_(reinterpret_cast<const std::uint8_t*>(input.data())), end_(at_ + input.size()) {}

  bool AtEnd() const { return at_ == end_; }
  /// What was wrong with the encoding; null when it was sound as far as it was read.
  const char* broken() const { return broken_; }

  template <class F>
  [[gnu::always_inline]] bool Object(F&& f) {
    return Container(kMap, [&]() __attribute__((always_inline)) {
      std::string_view text;
      if (!KeyText(text)) return false;
      CborKey key(text, static_cast<std::size_t>(reinterpret_cast<const char*>(end_) - text.data()));
      if (!f(key, *this)) return false;
      return key.matched() || IsText8(text) || Broken("text is no UTF-8");
    });
  }

  template <class F>
  [[gnu::always_inline]] bool Array(F&& f) {
    return Container(kArray, [&]() __attribute__((always_inline)) { return f(*this); });
  }

  [[gnu::always_inline]] bool Unsigned(std::uint64_t& number) {
    Mark mark(*this);
    Head head;
    if (!ReadHead(head) || head.major != kUnsigned) return mark.Back();
    number = head.argument;
    return true;
  }

  bool Double(double& number) {
    Mark mark(*this);
    Head head;
    if (!ReadHead(head)) return false;
    if (head.major == kUnsigned) {
      number = static_cast<double>(head.argument);
    } else if (head.major == kNegative) {
      number = -1.0 - static_cast<double>(head.argument);
    } else if (head.major == kSimple && head.info == 25) {
      number = Half(static_cast<std::uint16_t>(head.argument));
    } else if (head.major == kSimple && head.info == 26) {
      number = std::bit_cast<float>(static_cast<std::uint32_t>(head.argument));
    } else if (head.major == kSimple && head.info == 27) {
      number = std::bit_cast<double>(head.argument);
    } else {
      return mark.Back();
    }
    return true;
  }

  [[gnu::always_inline]] bool Text(std::string_view& text) {
    if (ShortText(text)) [[likely]] return IsText8(text) || Broken("text is no UTF-8");
    Mark mark(*this);
    Head head;
    if (!ReadHead(head)) return false;
    if (head.major != kText) return mark.Back();
    return ReadText(head, kText, text) && (IsText8(text) || Broken("text is no UTF-8"));
  }
  bool SkipText() {
    std::string_view text;
    return Text(text);
  }

  /// A text that is an address with a port as a rule. `is_text` is false when it is none; else the result tells whether
  /// it was an address.
  [[gnu::always_inline]] bool Endpoint(RemoteEndpoint& endpoint, bool& is_text) {
    std::string_view text;
    const std::size_t readable = remaining();
    is_text = false;
    if (!ShortText(text)) {
      if (!Text(text)) return false;
    } else if (readable > kEndpointBytes && ParseV4(text, endpoint)) [[likely]] {
      return is_text = true;
    } else if (!IsText8(text)) {
      return Broken("text is no UTF-8");
    }
    is_text = true;
    return ParseEndpoint(text, endpoint);
  }

  bool IsText() {
    if (at_ != end_ && *at_ >> 5 != kTag) return *at_ >> 5 == kText;
    Mark mark(*this);
    Head head;
    bool is_text = ReadHead(head) && head.major == kText;
    mark.Back();
    return is_text;
  }

  bool IsNull() {
    Mark mark(*this);
    Head head;
    if (!ReadHead(head)) return false;
    return (head.major == kSimple && (head.info == 22 || head.info == 23)) || mark.Back();
  }

  bool Skip() {
    if (at_ == end_) return Broken("it ends too early");
    Mark mark(*this);
    Head head;
    if (!ReadHead(head)) return false;
    std::string_view bytes;
    switch (head.major) {
      case kBytes: return ReadText(head, kBytes, bytes);
      case kText: return ReadText(head, kText, bytes) && (IsText8(bytes) || Broken("text is no UTF-8"));
      case kArray:
        mark.Back();
        return Array([](CborValue& value) { return value.Skip(); });
      case kMap:
        mark.Back();
        return Container(kMap, [this] { return Skip() && Skip(); });
      default: return true;
    }
  }

 private:
  enum Major : std::uint8_t { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag, kSimple };
  static constexpr std::uint8_t kBreak = 0xff;
  static constexpr std::uint8_t kIndefinite = 31;

  struct Head {
    std::uint8_t major = 0;
    std::uint8_t info = 0;
    std::uint64_t argument = 0;
  };

  /// Goes back when a value turns out to be of another type.
  class Mark {
   public:
    explicit Mark(CborValue& value) : value_(value), at_(value.at_) {}
    bool Back() {
      value_.at_ = at_;
      return false;
    }

   private:
    CborValue& value_;
    const std::uint8_t* at_;
  };

  [[gnu::cold, gnu::noinline]] bool Broken(const char* why) {
    if (broken_ == nullptr) broken_ = why;
    return false;
  }

  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }

  /// Initial byte and argument of the next value; tags before it are passed over. Nearly every head is one whose
  /// argument can be cut out of the eight bytes behind it.
  [[gnu::always_inline]] bool ReadHead(Head& head) {
    if (remaining() > sizeof(std::uint64_t) && *at_ < kTag << 5 && (*at_ & 31) < 28) [[likely]] {
      head.major = *at_ >> 5;
      head.info = *at_ & 31;
      head.argument = head.info;
      ++at_;
      if (head.info < 24) return true;
      unsigned size = 1U << (head.info - 24);
      head.argument = BigEndian<std::uint64_t>() >> (64 - 8 * size);
      at_ += size;
      return true;
    }
    return ReadOtherHead(head);
  }

  [[gnu::noinline]] bool ReadOtherHead(Head& head) {
    do {
      if (at_ == end_) return Broken("it ends too early");
      std::uint8_t initial = *at_++;
      head.major = initial >> 5;
      head.info = initial & 31;
      head.argument = head.info;
      if (head.info >= 24 && !ReadArgument(head)) return false;
    } while (head.major == kTag);
    return true;
  }

  bool ReadArgument(Head& head) {
    if (head.info == kIndefinite) {
      bool allowed = head.major >= kBytes && head.major <= kMap;
      return allowed || Broken("a break or length is out of place");
    }
    if (head.info > 27) return Broken("a reserved length is used");
    std::size_t size = std::size_t{1} << (head.info - 24);
    if (remaining() < size) return Broken("it ends too early");
    switch (head.info) {
      case 24: head.argument = at_[0]; break;
      case 25: head.argument = static_cast<std::uint64_t>(at_[0]) << 8 | at_[1]; break;
      case 26: head.argument = BigEndian<std::uint32_t>(); break;
      default: head.argument = BigEndian<std::uint64_t>();
    }
    at_ += size;
    if (head.major == kSimple && head.info == 24 && head.argument < 32) return Broken("a simple value is badly encoded");
    return true;
  }

  template <class T>
  std::uint64_t BigEndian() const {
    T value;
    std::memcpy(&value, at_, sizeof value);
    return sizeof value == 4 ? __builtin_bswap32(static_cast<std::uint32_t>(value)) : __builtin_bswap64(value);
  }

  template <class Element>
  [[gnu::always_inline]] bool Container(Major major, Element element) {
    Mark mark(*this);
    Head head;
    if (!ReadHead(head)) return false;
    if (head.major != major) return mark.Back();
    if (++depth_ > kMaxDepth) return Broken("nested too deeply");
    if (!Elements(head, element)) return false;
    --depth_;
    return true;
  }

  /// One loop for both kinds of length, so that what it calls is there once.
  template <class Element>
  [[gnu::always_inline]] bool Elements(const Head& head, Element& element) {
    const bool definite = head.info != kIndefinite;
    std::uint64_t count = head.argument;
    if (definite && count > remaining()) return Broken("a length is impossible");
    for (;;) {
      if (definite ? count-- == 0 : TakeBreak()) return true;
      if (!definite && at_ == end_) return Broken("it ends too early");
      if (!element()) return false;
    }
  }

  bool TakeBreak() {
    if (at_ == end_ || *at_ != kBreak) return false;
    ++at_;
    return true;
  }

  /// Nearly every text: below 24 bytes, so that its length stands in the first byte. Not yet checked for UTF-8.
  [[gnu::always_inline]] bool ShortText(std::string_view& text) {
    if (remaining() < 24 || *at_ - unsigned{kText << 5} >= 24) return false;
    const std::size_t size = *at_ & 31;
    text = {reinterpret_cast<const char*>(at_ + 1), size};
    at_ += 1 + size;
    return true;
  }

  /// Keys are text of definite length.
  [[gnu::always_inline]] bool KeyText(std::string_view& text) {
    if (ShortText(text)) [[likely]] return true;
    Head head;
    if (!ReadHead(head)) return false;
    if (head.major != kText || head.info == kIndefinite) return Broken("a key is no plain text");
    return Take(head.argument, text);
  }

  [[gnu::always_inline]] bool Take(std::uint64_t size, std::string_view& text) {
    if (size > remaining()) return Broken("a length is impossible");
    text = {reinterpret_cast<const char*>(at_), static_cast<std::size_t>(size)};
    at_ += size;
    return true;
  }

  [[gnu::always_inline]] bool ReadText(const Head& head, Major major, std::string_view& text) {
    return head.info != kIndefinite ? Take(head.argument, text) : ReadChunks(head, major, text);
  }

  [[gnu::noinline]] bool ReadChunks(const Head& head, Major major, std::string_view& text) {
    chunks_.clear();
    auto read = [&] {
      Head chunk;
      std::string_view part;
      if (!ReadHead(chunk)) return false;
      if (chunk.major != major || chunk.info == kIndefinite) return Broken("a chunk of text is of another type");
      if (!Take(chunk.argument, part)) return false;
      if (major == kText && !IsText8(part)) return Broken("text is no UTF-8");
      chunks_.append(part);
      return true;
    };
    bool ok = Elements(head, read);
    text = chunks_;
    return ok;
  }

  static double Half(std::uint16_t bits) {
    int exponent = bits >> 10 & 31;
    int fraction = bits & 1023;
    double value = 0;
    if (exponent == 31) {
      value = fraction == 0 ? HUGE_VAL : NAN;
    } else {
      value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
    }
    return bits & 0x8000 ? -value : value;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::size_t depth_ = 0;
  const char* broken_ = nullptr;
  std::string chunks_;
};

}  // namespace fleetward::report
