// Mails made of texts that API callers and devices wrote. The input is sender name, subject, address and body,
// separated by NUL bytes. Whatever they hold, the mail has the nine header fields it should have and no other, ended
// by CRLF, and no line is too long for SMTP.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fleetward/notify/email.h"

namespace {

std::string_view Next(std::string_view& text) {
  std::size_t end = std::min(text.find('\0'), text.size());
  std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckHeader(std::string_view header) {
  constexpr std::array<std::string_view, 9> kFields = {"Date: ",         "From: ",           "To: <",
                                                       "Subject: ",      "Message-ID: <",    "Auto-Submitted: ",
                                                       "MIME-Version: ", "Content-Type: ",   "Content-Transfer-Encoding: "};
  std::size_t field = 0;
  while (!header.empty()) {
    std::string_view line = header.substr(0, header.find("\r\n"));
    header.remove_prefix(line.size() + 2);
    Require(line.size() <= 998 && line.find_first_of("\r\n") == std::string_view::npos);
    if (line.starts_with(' ')) continue;  // goes on with the field before
    Require(field < kFields.size() && line.starts_with(kFields[field]));
    ++field;
  }
  Require(field == kFields.size());
}

void CheckBody(std::string_view body) {
  while (!body.empty()) {
    std::size_t end = body.find("\r\n");
    Require(end <= 998);  // npos is not
    std::string_view line = body.substr(0, end);
    Require(line.find_first_of("\r\n") == std::string_view::npos);
    body.remove_prefix(end + 2);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  notify::Delivery delivery;
  delivery.kind = "notification";
  delivery.sender_name = Next(text).substr(0, 100);  // the API's limits
  delivery.subject = Next(text).substr(0, 100);
  delivery.endpoint = Next(text);
  delivery.protocol = text.size() % 2 == 0 ? "email" : "email-json";
  delivery.body = text;
  if (!notify::CheckEmailAddress(delivery.endpoint).ok()) delivery.endpoint = "ops@example.com";
  std::string mail = notify::RenderMail(delivery, "fleetward@example.com", "example.com");
  std::size_t blank = mail.find("\r\n\r\n");
  Require(blank != std::string::npos);
  CheckHeader(std::string_view(mail).substr(0, blank + 2));
  CheckBody(std::string_view(mail).substr(blank + 4));
  return 0;
}
