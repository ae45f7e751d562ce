#include <algorithm>
#include <ctime>

#include "fleetward/base/encoding.h"
#include "fleetward/notify/email.h"

namespace fleetward::notify {
namespace {

constexpr std::size_t kMaxLine = 998;  // RFC 5322 §2.1.1

bool IsPrintableAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c < 0x7f; });
}

// A header value: plain when it is printable ASCII, else RFC 2047 encoded words, which hold no line break whatever the
// text does. A text that looks like an encoded word is encoded too, so that nobody can smuggle one in.
std::string HeaderText(std::string_view text) {
  if (IsPrintableAscii(text) && text.find("=?") == std::string_view::npos) return std::string(text);
  std::string out;
  while (!text.empty()) {
    std::size_t take = std::min<std::size_t>(45, text.size());
    while (take < text.size() && take > 1 && (static_cast<unsigned char>(text[take]) & 0xc0) == 0x80) --take;
    if (!out.empty()) out += "\r\n ";
    out += "=?UTF-8?B?" + Base64Encode(text.substr(0, take)) + "?=";
    text.remove_prefix(take);
  }
  return out;
}

std::string QuotedName(std::string_view name) {
  if (!IsPrintableAscii(name) || name.find("=?") != std::string_view::npos) return HeaderText(name);
  std::string out = "\"";
  for (char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string Date(Timestamp t) {
  time_t seconds = ToMillis(t) / 1000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d +0000", kDays[parts.tm_wday], parts.tm_mday,
                kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

// One CRLF for each line end, whatever the text used.
std::string CanonicalLines(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\n' || text[i] == '\r') {
      out += "\r\n";
    } else {
      out += text[i];
    }
  }
  return out;
}

bool FitsPlain(std::string_view lines) {
  std::size_t column = 0;
  for (char c : lines) {
    if (c == '\n') {
      column = 0;
      continue;
    }
    if (static_cast<unsigned char>(c) >= 0x7f || (c < ' ' && c != '\r' && c != '\t') || ++column > kMaxLine) return false;
  }
  return true;
}

std::string Base64Lines(std::string_view text) {
  std::string encoded = Base64Encode(text);
  std::string out;
  for (std::size_t i = 0; i < encoded.size(); i += 76) out += encoded.substr(i, 76) + "\r\n";
  return out;
}

std::string Content(const Delivery& d) {
  std::string content = d.body + '\n';
  if (!d.footer.empty()) content += "\n--\n" + d.footer + '\n';
  return content;
}

}  // namespace

std::string RenderMail(const Delivery& d, std::string_view from, std::string_view message_id_host,
                       std::string_view document) {
  std::string mail;
  mail += "Date: " + Date(d.created) + "\r\n";
  mail += "From: " + (d.sender_name.empty() ? std::string("Fleetward") : QuotedName(d.sender_name)) + " <" +
          std::string(from) + ">\r\n";
  mail += "To: <" + d.endpoint + ">\r\n";
  mail += "Subject: " + HeaderText(d.subject.empty() ? "AWS Notification Message" : d.subject) + "\r\n";
  mail += "Message-ID: <" + d.message_id.Hex() + '.' + d.subscription_id.Hex() + '@' + std::string(message_id_host) +
          ">\r\n";
  mail += "Auto-Submitted: auto-generated\r\n";
  mail += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
  std::string content = CanonicalLines(document.empty() ? Content(d) : std::string(document) + '\n');
  if (FitsPlain(content)) {
    mail += "Content-Transfer-Encoding: 7bit\r\n\r\n" + content;
  } else {
    mail += "Content-Transfer-Encoding: base64\r\n\r\n" + Base64Lines(content);
  }
  return mail;
}

}  // namespace fleetward::notify
