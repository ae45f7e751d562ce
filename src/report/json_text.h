// A small bounded JSON reader for the agent, which has no JSON library: enough for the service's answers of a few
// hundred bytes. The interface is that of grammar.h.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "fleetward/base/encoding.h"
#include "fleetward/report/metric_report.h"

namespace fleetward::report {

/// The value at the reader's position; the value handed to a callback is the reader itself.
class JsonText {
 public:
  explicit JsonText(std::string_view input) : at_(input.data()), end_(at_ + input.size()) {}

  bool AtEnd() {
    SkipSpace();
    return at_ == end_;
  }

  /// f(key, value): the key is a string_view, valid until the value is read.
  template <class F>
  bool Object(F&& f) {
    return Container('{', '}', [&] {
      std::string_view text;
      if (!Text(text)) return false;
      std::string key(text);
      return Take(':') && f(std::string_view(key), *this);
    });
  }

  template <class F>
  bool Array(F&& f) {
    return Container('[', ']', [&] { return f(*this); });
  }

  bool Unsigned(std::uint64_t& number) {
    SkipSpace();
    auto [next, fault] = std::from_chars(at_, end_, number);
    if (fault != std::errc() || (next != end_ && std::strchr(".eE", *next) != nullptr && *next != '\0')) return false;
    at_ = next;
    return true;
  }

  bool Text(std::string_view& text) {
    if (!Take('"')) return false;
    text_.clear();
    while (at_ != end_ && *at_ != '"') {
      if (static_cast<unsigned char>(*at_) < 0x20) return false;
      if (*at_ != '\\') {
        text_ += *at_++;
      } else if (!Escape()) {
        return false;
      }
    }
    text = text_;
    return Take('"') && IsUtf8(text_);
  }

  bool Skip() {
    SkipSpace();
    if (at_ == end_) return false;
    std::string_view text;
    switch (*at_) {
      case '{': return Object([](std::string_view, JsonText& value) { return value.Skip(); });
      case '[': return Array([](JsonText& value) { return value.Skip(); });
      case '"': return Text(text);
      default: return Scalar();
    }
  }

 private:
  template <class Element>
  bool Container(char open, char close, Element element) {
    if (!Take(open) || ++depth_ > kMaxDepth) return false;
    if (!Peek(close)) {
      do {
        if (!element()) return false;
      } while (Take(','));
    }
    --depth_;
    return Take(close);
  }

  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }
  bool Peek(char c) {
    SkipSpace();
    return at_ != end_ && *at_ == c;
  }
  bool Take(char c) {
    if (!Peek(c)) return false;
    ++at_;
    return true;
  }

  /// Numbers, true, false, null: in skipped members only, so their characters suffice.
  bool Scalar() {
    const char* begin = at_;
    while (at_ != end_ && ((*at_ >= '0' && *at_ <= '9') || (*at_ >= 'a' && *at_ <= 'z') || *at_ == '-' || *at_ == '+' ||
                           *at_ == '.' || *at_ == 'E')) {
      ++at_;
    }
    return at_ != begin;
  }

  bool Hex4(std::uint32_t& unit) {
    if (end_ - at_ < 4) return false;
    auto [next, fault] = std::from_chars(at_, at_ + 4, unit, 16);
    if (fault != std::errc() || next != at_ + 4) return false;
    at_ += 4;
    return true;
  }

  bool Escape() {
    if (end_ - at_ < 2) return false;
    char c = at_[1];
    at_ += 2;
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    if (std::size_t i = kFrom.find(c); i != std::string_view::npos) {
      text_ += kTo[i];
      return true;
    }
    std::uint32_t point = 0;
    if (c != 'u' || !Hex4(point)) return false;
    if (point >= 0xd800 && point < 0xdc00) {
      std::uint32_t low = 0;
      if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') return false;
      at_ += 2;
      if (!Hex4(low) || low < 0xdc00 || low > 0xdfff) return false;
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    AppendUtf8(point);
    return true;
  }

  void AppendUtf8(std::uint32_t point) {
    auto put = [this](std::uint32_t byte) { text_ += static_cast<char>(byte); };
    if (point < 0x80) return put(point);
    if (point < 0x800) {
      put(0xc0 | point >> 6);
    } else {
      if (point < 0x10000) {
        put(0xe0 | point >> 12);
      } else {
        put(0xf0 | point >> 18);
        put(0x80 | (point >> 12 & 63));
      }
      put(0x80 | (point >> 6 & 63));
    }
    put(0x80 | (point & 63));
  }

  const char* at_;
  const char* end_;
  std::size_t depth_ = 0;
  std::string text_;
};

}  // namespace fleetward::report
