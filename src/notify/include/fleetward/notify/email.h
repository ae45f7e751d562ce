// E-mail: addresses, messages (RFC 5322) and the SMTP channel (D35).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/notify/channel.h"
#include "fleetward/notify/signer.h"

namespace fleetward::notify {

/// One plain address: local@domain, no display name, no control characters, at most 254 bytes. Errors:
/// kInvalidArgument (threats.md t).
Status CheckEmailAddress(std::string_view address);

/// A message with CRLF line ends. `message_id_host` is the right side of Message-ID, which is the same at every
/// attempt. The body keeps its bytes after decoding; nothing of a header value can start a new header. `document`, when
/// not empty, is sent in place of the delivery's text.
std::string RenderMail(const Delivery& delivery, std::string_view from, std::string_view message_id_host,
                       std::string_view document = {});

struct SmtpSettings {
  std::string url;               // smtp:// or smtps://, ?tls=required|none; empty: mails are kept
  std::string credentials_file;  // "user:password", or the two on lines of their own; empty: no authentication
  std::string ca_file;           // CAs of the mail server; empty: the system's
  std::string from;              // address
};

/// Sends through libcurl, or keeps the mail in the outbox when no server is configured. Errors: kInvalidArgument for
/// a URL or credentials file that cannot be used. `signer` signs what email-json endpoints get; both outlive the channel.
Result<std::unique_ptr<Channel>> MakeEmailChannel(const SmtpSettings& settings, Outbox& outbox, MessageSigner& signer);

}  // namespace fleetward::notify
