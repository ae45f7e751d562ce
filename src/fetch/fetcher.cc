#include "fleetward/fetch/fetcher.h"

#include <curl/curl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>

namespace fleetward::fetch {
namespace {

constexpr std::size_t kMaxUrl = 2048;
constexpr std::size_t kMaxAnswerHeaders = 64 * 1024;

using UrlHandle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;
using EasyHandle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using ListHandle = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string out = text;
  curl_free(text);
  return out;
}

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return text;
}

bool IsLocalName(std::string_view host) {
  if (!host.empty() && host.back() == '.') host.remove_suffix(1);
  return host == "localhost" || host.ends_with(".localhost");
}

// True when the address is one of this machine's.
bool IsOwn(const Address& address) {
  if (ClassOf(address) == AddressClass::kLoopback) return true;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return true;  // unknown: deny
  bool own = false;
  for (ifaddrs* each = list; each != nullptr && !own; each = each->ifa_next) {
    if (each->ifa_addr != nullptr) own = AddressOf(each->ifa_addr) == address;
  }
  freeifaddrs(list);
  return own;
}

// The one parser of URLs: what is checked is what libcurl connects to.
struct ParsedUrl {
  UrlHandle handle{nullptr, curl_url_cleanup};
  Target target;
};

Result<ParsedUrl> Parse(std::string_view text) {
  auto bad = [](const char* why) { return Error(Code::kInvalidArgument, why); };
  if (text.size() > kMaxUrl) return bad("the URL is longer than 2048 characters");
  bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
  if (!plain) return bad("the URL holds spaces, control characters or bytes that are not ASCII");
  ParsedUrl parsed;
  parsed.handle.reset(curl_url());
  CURLU* url = parsed.handle.get();
  if (curl_url_set(url, CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) return bad("not a URL");
  std::string scheme = Part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return bad("the URL must start with http:// or https://");
  if (!Part(url, CURLUPART_USER).empty() || !Part(url, CURLUPART_PASSWORD).empty()) {
    return bad("the URL must not hold a user or password");
  }
  std::string host = Lower(Part(url, CURLUPART_HOST));
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  // libcurl forgives a third slash; a URL that others may read differently is not one to check.
  if (host.empty() || text.find(":///") < text.find('?') || text.find('\\') != std::string_view::npos ||
      host.find('%') != std::string::npos || !Part(url, CURLUPART_ZONEID).empty()) {
    return bad("the URL names no host");
  }
  parsed.target = {host, static_cast<std::uint16_t>(std::atoi(Part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT).c_str())),
                   scheme == "https"};
  if (parsed.target.port == 0) return bad("the URL's port cannot be used");
  return parsed;
}

// One request on its way; callbacks of libcurl see it.
struct Exchange {
  const Fetcher& fetcher;
  std::size_t max_body;
  FetchAnswer answer;
  std::size_t header_bytes = 0;
  std::optional<Error> refused;
};

// Opens the socket that will be connected, so the address checked is the address visited: DNS cannot change it later.
curl_socket_t OpenSocket(void* user, curlsocktype, curl_sockaddr* to) {
  auto* exchange = static_cast<Exchange*>(user);
  std::optional<Address> address = AddressOf(&to->addr);
  Status allowed = Error(Code::kPermissionDenied, "not an IP address");
  if (address) {
    in_port_t port = to->family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&to->addr)->sin6_port
                                            : reinterpret_cast<sockaddr_in*>(&to->addr)->sin_port;
    allowed = exchange->fetcher.Check(*address, ntohs(port));
  }
  if (!allowed.ok()) {
    exchange->refused = std::move(allowed).error();
    return CURL_SOCKET_BAD;
  }
  return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* user) {
  auto* exchange = static_cast<Exchange*>(user);
  std::string& body = exchange->answer.body;
  std::size_t take = std::min(size * count, exchange->max_body - body.size());
  body.append(data, take);
  if (take == size * count) return take;
  exchange->answer.truncated = true;
  return 0;
}

std::size_t CountHeader(char*, std::size_t size, std::size_t count, void* user) {
  auto* exchange = static_cast<Exchange*>(user);
  exchange->header_bytes += size * count;
  return exchange->header_bytes > kMaxAnswerHeaders ? 0 : size * count;
}

int Progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(user)->load() ? 1 : 0;
}

Error Failure(CURLcode result, const Exchange& exchange, const char* detail) {
  if (exchange.refused && (result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST)) {
    return *exchange.refused;
  }
  std::string text = detail[0] != '\0' ? detail : curl_easy_strerror(result);
  switch (result) {
    case CURLE_ABORTED_BY_CALLBACK: return Error(Code::kInvalidState, "the request was cancelled");
    case CURLE_OPERATION_TIMEDOUT: return Error(Code::kTimeout, text);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return Error(Code::kCertificateInvalid, text);
    default: return Error(Code::kUnavailable, text);
  }
}

// name:port:address,address for libcurl's own table, in place of DNS.
ListHandle Resolved(const Resolver& resolver, const Target& target) {
  ListHandle list(nullptr, curl_slist_free_all);
  if (!resolver || ParseAddress(target.host)) return list;
  std::string entry = target.host + ':' + std::to_string(target.port) + ':';
  bool first = true;
  for (const std::string& address : resolver(target.host)) {
    if (!first) entry += ',';
    first = false;
    entry += address.find(':') == std::string::npos ? address : '[' + address + ']';
  }
  list.reset(curl_slist_append(nullptr, entry.c_str()));
  return list;
}

void Bound(CURL* easy, const FetchRequest& request) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a resolver that hangs holds nobody up after the timeout
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
}

}  // namespace

Result<Target> Fetcher::Check(std::string_view url) const {
  FW_ASSIGN(ParsedUrl parsed, Parse(url));
  std::optional<Address> address = ParseAddress(parsed.target.host);
  if (!address && IsLocalName(parsed.target.host)) address = ParseAddress("::1");
  if (address) {
    if (Status allowed = Check(*address, parsed.target.port); !allowed.ok()) {
      return Error(Code::kInvalidArgument, allowed.error().message());
    }
  }
  return parsed.target;
}

Status Fetcher::Check(const Address& address, std::uint16_t port) const {
  auto refuse = [&](const char* why) {
    return Error(Code::kPermissionDenied, "the address " + address.Text() + " is not visited: " + why);
  };
  AddressClass is = ClassOf(address);
  if (rules_.loopback_only && is != AddressClass::kLoopback) return refuse("with fetch.allow_loopback only loopback is");
  if (!rules_.loopback_only && is == AddressClass::kLoopback) return refuse("it is loopback");
  if (is == AddressClass::kForbidden) return refuse("it is link-local, multicast or reserved");
  if (is == AddressClass::kPrivate && !rules_.allow_private) return refuse("it is private, and fetch.allow_private is off");
  bool own_port = std::find(rules_.own_ports.begin(), rules_.own_ports.end(), port) != rules_.own_ports.end();
  if (own_port && IsOwn(address)) return refuse("it is this server's own port");
  return {};
}

Result<FetchAnswer> Fetcher::Fetch(const FetchRequest& request) const {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  FW_TRY(Check(request.url));
  FW_ASSIGN(ParsedUrl parsed, Parse(request.url));
  Exchange exchange{*this, request.max_answer_bytes, {}, 0, {}};
  char fault[CURL_ERROR_SIZE] = "";
  ListHandle headers(curl_slist_append(nullptr, "Expect:"), curl_slist_free_all);
  for (const auto& [name, value] : request.headers) curl_slist_append(headers.get(), (name + ": " + value).c_str());
  ListHandle resolved = Resolved(rules_.resolver, parsed.target);
  EasyHandle handle(curl_easy_init(), curl_easy_cleanup);
  CURL* easy = handle.get();
  Bound(easy, request);
  curl_easy_setopt(easy, CURLOPT_CURLU, parsed.handle.get());
  curl_easy_setopt(easy, CURLOPT_RESOLVE, resolved.get());
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, OpenSocket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, TakeBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, CountHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fault);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  if (request.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  if (request.cancel != nullptr) {
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, Progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(request.cancel));
  }
  // The system's CAs stay trusted: they are found by CURLOPT_CAPATH, which this leaves alone.
  if (!rules_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, rules_.ca_file.c_str());
  CURLcode result = curl_easy_perform(easy);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  exchange.answer.status = static_cast<int>(status);
  bool enough = result == CURLE_WRITE_ERROR && exchange.answer.truncated;
  if (result != CURLE_OK && !enough) return Failure(result, exchange, fault);
  return std::move(exchange.answer);
}

}  // namespace fleetward::fetch
