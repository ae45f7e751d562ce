#include <curl/curl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "fleetward/notify/email.h"
#include "http/envelope.h"

namespace fleetward::notify {
namespace {

enum class Tls { kWhenOffered, kRequired, kNone };

struct Server {
  std::string url;  // without the query
  Tls tls = Tls::kWhenOffered;
  std::string user, password;
  std::string ca_file;
  std::string from;
};

std::string HostOf(std::string_view address) { return std::string(address.substr(address.find('@') + 1)); }

// Gives up what is left of a credentials file's line end.
std::string Trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return std::string(text);
}

Status ReadCredentials(const std::string& path, Server& server) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    log::Warning("credentials-file-is-readable-by-others", {{"file", path}});
  }
  FW_ASSIGN(std::string text, ReadFile(path, 4096));
  std::size_t split = text.find('\n');
  std::string first = Trimmed(text.substr(0, split));
  std::string second = split == std::string::npos ? "" : Trimmed(text.substr(split + 1));
  if (second.empty()) {
    std::size_t colon = first.find(':');
    if (colon == std::string::npos) {
      return Error(Code::kInvalidArgument, path + " must hold user:password, or the two on lines of their own");
    }
    second = first.substr(colon + 1);
    first = first.substr(0, colon);
  }
  server.user = first;
  server.password = second;
  return {};
}

Result<Server> ParseServer(const SmtpSettings& settings) {
  Server server;
  std::size_t query = settings.url.find('?');
  server.url = settings.url.substr(0, query);
  bool wrapped = server.url.rfind("smtps://", 0) == 0;
  if (!wrapped && server.url.rfind("smtp://", 0) != 0) {
    return Error(Code::kInvalidArgument, "notify.smtp.url must start with smtp:// or smtps://");
  }
  if (wrapped) server.tls = Tls::kRequired;
  if (query != std::string::npos) {
    std::string option = settings.url.substr(query + 1);
    if (option == "tls=required") {
      server.tls = Tls::kRequired;
    } else if (option == "tls=none" && !wrapped) {
      server.tls = Tls::kNone;
    } else {
      return Error(Code::kInvalidArgument, "notify.smtp.url: ?tls= must be required or none (and smtps:// is always TLS)");
    }
  }
  if (server.url.find('@') != std::string::npos) {
    return Error(Code::kInvalidArgument, "notify.smtp.url must hold no password; use notify.smtp.credentials_file");
  }
  if (!settings.credentials_file.empty()) FW_TRY(ReadCredentials(settings.credentials_file, server));
  server.ca_file = settings.ca_file;
  server.from = settings.from;
  return server;
}

struct Upload {
  std::string_view rest;
};

std::size_t ReadUpload(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto* upload = static_cast<Upload*>(user);
  std::size_t take = std::min(size * count, upload->rest.size());
  std::memcpy(buffer, upload->rest.data(), take);
  upload->rest.remove_prefix(take);
  return take;
}

int Progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(user)->load() ? 1 : 0;
}

Attempt Judge(CURLcode result, long response, std::string detail) {
  if (result == CURLE_OK) return {};
  if (result == CURLE_ABORTED_BY_CALLBACK) return {Failure::kCancelled, true, "the server is stopping"};
  bool permanent = response >= 500 && response < 600;
  Attempt attempt{Failure::kOther, !permanent, std::move(detail)};
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: attempt.failure = Failure::kConnect; break;
    case CURLE_OPERATION_TIMEDOUT: attempt.failure = Failure::kTimeout; break;
    case CURLE_LOGIN_DENIED:
      // The operator mends this, not the message: try again.
      attempt.failure = Failure::kAuthentication;
      attempt.retry = true;
      break;
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION: attempt.failure = Failure::kTls; break;
    case CURLE_SEND_ERROR:
      if (response >= 400) attempt.failure = Failure::kRefused;
      break;
    default: break;
  }
  if (response >= 400) attempt.detail += " (the server answered " + std::to_string(response) + ")";
  return attempt;
}

// One libcurl handle, and with it one SMTP connection that is used again while the server keeps it.
class Session {
 public:
  Session() : handle_(curl_easy_init()) {}
  ~Session() { curl_easy_cleanup(handle_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Attempt Send(const Server& server, const std::string& to, std::string_view mail, std::atomic<bool>& cancelled) {
    char fault[CURL_ERROR_SIZE] = "";
    Upload upload{mail};
    std::string from = '<' + server.from + '>';
    std::string recipient = '<' + to + '>';
    curl_slist* recipients = curl_slist_append(nullptr, recipient.c_str());
    curl_easy_reset(handle_);
    curl_easy_setopt(handle_, CURLOPT_URL, server.url.c_str());
    curl_easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(handle_, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, fault);
    curl_easy_setopt(handle_, CURLOPT_MAIL_FROM, from.c_str());
    curl_easy_setopt(handle_, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(handle_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle_, CURLOPT_READFUNCTION, ReadUpload);
    curl_easy_setopt(handle_, CURLOPT_READDATA, &upload);
    curl_easy_setopt(handle_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(handle_, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle_, CURLOPT_XFERINFOFUNCTION, Progress);
    curl_easy_setopt(handle_, CURLOPT_XFERINFODATA, &cancelled);
    SetSecurity(server);
    CURLcode result = curl_easy_perform(handle_);
    long response = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &response);
    curl_slist_free_all(recipients);
    return Judge(result, response, fault[0] != '\0' ? fault : curl_easy_strerror(result));
  }

 private:
  void SetSecurity(const Server& server) {
    long use = server.tls == Tls::kRequired ? CURLUSESSL_ALL : server.tls == Tls::kNone ? CURLUSESSL_NONE : CURLUSESSL_TRY;
    curl_easy_setopt(handle_, CURLOPT_USE_SSL, use);
    if (!server.ca_file.empty()) curl_easy_setopt(handle_, CURLOPT_CAINFO, server.ca_file.c_str());
    if (!server.user.empty()) {
      curl_easy_setopt(handle_, CURLOPT_USERNAME, server.user.c_str());
      curl_easy_setopt(handle_, CURLOPT_PASSWORD, server.password.c_str());
    } else if (server.tls == Tls::kWhenOffered) {
      // Encryption when offered, against listeners only: an unverifiable relay is no worse than none, and no
      // password travels.
      curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYPEER, 0L);
      curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYHOST, 0L);
    }
  }

  CURL* handle_;
};

/// The mail; an email-json endpoint's notification is the signed document that http endpoints get.
Result<std::string> MailOf(const Delivery& d, const std::string& from, MessageSigner& signer) {
  std::string document;
  if (d.protocol == "email-json" && d.kind == "notification") {
    FW_ASSIGN(Signature signature, signer.Sign(StringToSign(d), d.signature_version));
    document = Envelope(d, signature);
  }
  return RenderMail(d, from, HostOf(from), document);
}

class SmtpChannel : public Channel {
 public:
  SmtpChannel(Server server, MessageSigner& signer) : server_(std::move(server)), signer_(signer) {}

  Attempt Send(const Delivery& delivery) override {
    auto mail = MailOf(delivery, server_.from, signer_);
    if (!mail.ok()) return {Failure::kOther, true, mail.error().ToString()};
    std::unique_ptr<Session> session = Borrow();
    Attempt attempt = session->Send(server_, delivery.endpoint, *mail, cancelled_);
    if (attempt.failure == Failure::kNone) Return(std::move(session));
    return attempt;
  }
  void Cancel() override { cancelled_ = true; }

 private:
  std::unique_ptr<Session> Borrow() {
    std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Session>();
    std::unique_ptr<Session> session = std::move(idle_.back());
    idle_.pop_back();
    return session;
  }
  void Return(std::unique_ptr<Session> session) {
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(session));
  }

  const Server server_;
  MessageSigner& signer_;
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_;
};

class KeepingChannel : public Channel {
 public:
  KeepingChannel(std::string from, Outbox& outbox, MessageSigner& signer)
      : from_(std::move(from)), outbox_(outbox), signer_(signer) {}

  Attempt Send(const Delivery& delivery) override {
    auto mail = MailOf(delivery, from_, signer_);
    if (!mail.ok()) return {Failure::kOther, true, mail.error().ToString()};
    Status kept = outbox_.MarkKept(delivery, *mail);
    if (!kept.ok()) return {Failure::kOther, true, kept.error().ToString()};
    return {};
  }

 private:
  std::string from_;
  Outbox& outbox_;
  MessageSigner& signer_;
};

}  // namespace

Result<std::unique_ptr<Channel>> MakeEmailChannel(const SmtpSettings& settings, Outbox& outbox, MessageSigner& signer) {
  FW_TRY(CheckEmailAddress(settings.from));
  if (settings.url.empty()) return std::unique_ptr<Channel>(new KeepingChannel(settings.from, outbox, signer));
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  FW_ASSIGN(Server server, ParseServer(settings));
  return std::unique_ptr<Channel>(new SmtpChannel(std::move(server), signer));
}

}  // namespace fleetward::notify
