#include "fleetward/api/codec/writer.h"

#include <charconv>
#include <cmath>

#include "fleetward/base/encoding.h"

namespace fleetward::api::codec {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Length of the well-formed UTF-8 sequence at the start of `text`, or 0.
std::size_t SequenceLength(std::string_view text) {
  for (std::size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    if (IsUtf8(text.substr(0, size))) return size;
  }
  return 0;
}

/// Calls `ascii(c)` for each ASCII byte, appends other characters, and replaces broken bytes.
template <class Ascii>
void AppendText(std::string& out, std::string_view text, Ascii ascii) {
  while (!text.empty()) {
    if (static_cast<unsigned char>(text[0]) < 0x80) {
      ascii(text[0]);
      text.remove_prefix(1);
      continue;
    }
    std::size_t size = SequenceLength(text);
    out += size > 0 ? text.substr(0, size) : kReplacement;
    text.remove_prefix(size > 0 ? size : 1);
  }
}

void AppendJsonChar(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
    out += c;
    return;
  }
  constexpr char kHex[] = "0123456789abcdef";
  out += "\\u00";
  out += kHex[static_cast<unsigned char>(c) >> 4];
  out += kHex[c & 15];
}

void AppendXmlChar(std::string& out, char c) {
  switch (c) {
    case '&': out += "&amp;"; return;
    case '<': out += "&lt;"; return;
    case '>': out += "&gt;"; return;
    case '"': out += "&quot;"; return;
    case '\'': out += "&#39;"; return;
    case '\r': out += "&#13;"; return;
    default: break;
  }
  bool allowed = static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t';
  if (allowed) {
    out += c;
  } else {
    out += kReplacement;
  }
}

void AppendDouble(std::string& out, double value) {
  char buffer[40];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  out.append(buffer, error == std::errc() ? end : buffer);
}

}  // namespace

void JsonWriter::Open(char bracket) {
  out_ += bracket;
  filled_.push_back(false);
}

void JsonWriter::Close(char bracket) {
  out_ += bracket;
  filled_.pop_back();
}

void JsonWriter::Separate() {
  if (filled_.back()) out_ += ',';
  filled_.back() = true;
}

void JsonWriter::Key(std::string_view key) {
  Separate();
  String(key);
  out_ += ':';
}

void JsonWriter::String(std::string_view value) {
  out_ += '"';
  AppendText(out_, value, [this](char c) { AppendJsonChar(out_, c); });
  out_ += '"';
}

void JsonWriter::Double(double value) {
  // JSON has no infinities; none of our values may be one, but an answer must stay readable.
  if (!std::isfinite(value)) {
    out_ += "null";
    return;
  }
  AppendDouble(out_, value);
}

void JsonWriter::Time(Timestamp value) {
  std::int64_t millis = ToMillis(value);
  out_ += std::to_string(millis / 1000);
  std::string fraction = std::to_string(1000 + millis % 1000).substr(1);
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  if (!fraction.empty()) out_ += "." + fraction;
}

void JsonWriter::Blob(std::string_view bytes) {
  out_ += '"';
  out_ += Base64Encode(bytes);
  out_ += '"';
}

void XmlWriter::Member(std::string_view name) {
  Level& level = stack_.back();
  out_ += level.close;
  out_ += '<';
  out_ += name;
  out_ += '>';
  level.close = "</" + std::string(name) + ">";
}

void XmlWriter::EndStruct() {
  out_ += stack_.back().close;
  stack_.pop_back();
}

void XmlWriter::Key(std::string_view key) {
  Level& level = stack_.back();
  out_ += level.close;
  out_ += "<entry><key>" + XmlEscape(key) + "</key><value>";
  level.close = "</value></entry>";
}

void XmlWriter::String(std::string_view value) { out_ += XmlEscape(value); }

void XmlWriter::Double(double value) { AppendDouble(out_, value); }

void XmlWriter::Blob(std::string_view bytes) { out_ += Base64Encode(bytes); }

std::string XmlEscape(std::string_view text) {
  std::string out;
  AppendText(out, text, [&out](char c) { AppendXmlChar(out, c); });
  return out;
}

}  // namespace fleetward::api::codec
