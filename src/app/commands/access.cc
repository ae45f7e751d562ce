// keys and log: who may do what, and who did what.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

#include "commands.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/encoding.h"
#include "fleetward/base/file.h"
#include "local_client.h"

namespace fleetward::app {

Result<std::int64_t> ParseSpan(const std::string& text) {
  char* end = nullptr;
  long long number = std::strtoll(text.c_str(), &end, 10);
  std::string unit = end;
  std::int64_t factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86400 : 0;
  if (end == text.c_str() || number < 0 || number > 100000000 || factor == 0) {
    return Error(Code::kInvalidArgument, text + " is no span of time; examples: 90s, 15m, 24h, 7d");
  }
  return number * factor;
}

namespace {

using nlohmann::json;

std::string Text(const json& j, const char* key) {
  if (!j.contains(key) || j[key].is_null()) return "-";
  std::string text = j[key].is_string() ? j[key].get<std::string>() : j[key].dump();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  }
  return text.empty() ? "-" : text;
}

std::string CredentialsText(const Credentials& credentials) {
  return "[fleetward]\naws_access_key_id = " + credentials.access_key_id + "\naws_secret_access_key = " + credentials.secret +
         "\nregion = " + credentials.region + '\n';
}

// A span back from now, or "2026-11-22" or "2026-11-22T12:00:00Z".
Result<Timestamp> ParseSince(const std::string& text) {
  tm parts{};
  const char* form = text.find('T') == std::string::npos ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ";
  const char* rest = strptime(text.c_str(), form, &parts);
  if (rest != nullptr && *rest == '\0') return FromMillis(timegm(&parts) * 1000LL);
  FW_ASSIGN(std::int64_t seconds, ParseSpan(text));
  return SystemClock().Now() - std::chrono::seconds(seconds);
}

// To a 0600 file, or once to a terminal: a secret that lands in a pipe is soon in a log (D34).
Status HandOut(const json& made, const std::string& region, const std::string& out) {
  Credentials credentials{made.value("accessKeyId", ""), made.value("secretAccessKey", ""), region};
  if (!out.empty()) {
    FW_TRY(WriteFileAtomic(out, CredentialsText(credentials), 0600));
    std::printf("%s written to %s\n", credentials.access_key_id.c_str(), out.c_str());
    return {};
  }
  std::printf("access key id      %s\nsecret access key  %s\nThe secret is not shown again.\n",
              credentials.access_key_id.c_str(), credentials.secret.c_str());
  return {};
}

Status CheckOutput(const std::string& out) {
  if (out.empty() && isatty(STDOUT_FILENO) == 0) {
    return Error(Code::kInvalidArgument, "a secret is shown on a terminal only; give --out FILE to write it to a file");
  }
  if (!out.empty() && access(out.c_str(), F_OK) == 0) return Error(Code::kAlreadyExists, out + " exists already");
  return {};
}

void PrintKey(const json& key) {
  std::string groups;
  for (const json& group : key.value("thingGroups", json::array())) groups += (groups.empty() ? "" : ",") + group.get<std::string>();
  std::printf("%-20s  %-8s  %-8s  %-24s  %-24s  %s%s%s\n", Text(key, "accessKeyId").c_str(), Text(key, "role").c_str(),
              key.value("active", false) ? "active" : "disabled", Text(key, "lastUsed").c_str(), Text(key, "expires").c_str(),
              Text({{"d", key.value("description", "")}}, "d").c_str(), groups.empty() ? "" : "  groups: ",
              groups.empty() ? "" : Text({{"g", groups}}, "g").c_str());
}

Status ListKeys(const LocalClient& client, bool as_json) {
  FW_ASSIGN(json answer, client.Call("GET", "/fleetward/v1/keys"));
  if (!as_json) std::printf("%-20s  %-8s  %-8s  %-24s  %-24s  %s\n", "id", "role", "state", "last used", "expires", "description");
  for (const json& key : answer.value("keys", json::array())) {
    if (as_json) {
      std::printf("%s\n", key.dump(-1, ' ', true).c_str());
    } else {
      PrintKey(key);
    }
  }
  return {};
}

Status CreateKey(const LocalClient& client, const KeyArguments& arguments) {
  FW_TRY(CheckOutput(arguments.out));
  json body = {{"role", arguments.role}, {"description", arguments.description}};
  if (!arguments.groups.empty()) body["thingGroups"] = arguments.groups;
  if (!arguments.expires.empty()) {
    FW_ASSIGN(std::int64_t seconds, ParseSpan(arguments.expires));
    body["expiresInSeconds"] = seconds;
  }
  FW_ASSIGN(json made, client.Call("POST", "/fleetward/v1/keys", body.dump()));
  return HandOut(made, client.credentials().region, arguments.out);
}

// The folder's own key is replaced where it lies, for the user that had it.
Status RotateKey(const LocalClient& client, const KeyArguments& arguments) {
  DataFolder folder(arguments.data);
  bool own = arguments.id == client.credentials().access_key_id && arguments.out.empty();
  if (!own) FW_TRY(CheckOutput(arguments.out));
  FW_ASSIGN(std::int64_t grace, ParseSpan(arguments.grace));
  FW_ASSIGN(json made, client.Call("POST", "/fleetward/v1/keys/" + PercentEncode(arguments.id) + "/rotate",
                                   json{{"graceSeconds", grace}}.dump()));
  if (!own) return HandOut(made, client.credentials().region, arguments.out);
  struct stat before {};
  bool known = stat(folder.credentials().c_str(), &before) == 0;
  FW_TRY(WriteCredentials(folder, {made.value("accessKeyId", ""), made.value("secretAccessKey", ""), client.credentials().region}));
  if (known && geteuid() == 0 && chown(folder.credentials().c_str(), before.st_uid, before.st_gid) != 0) {
    return Error(Code::kIo, "cannot give " + folder.credentials() + " back to its owner");
  }
  std::printf("%s written to %s\n", made.value("accessKeyId", "").c_str(), folder.credentials().c_str());
  return {};
}

void PrintAction(const json& action, bool as_json) {
  if (as_json) {
    std::printf("%s\n", action.dump(-1, ' ', true).c_str());
  } else {
    std::printf("%s %s %s from %s: %s %s -> %s %s\n", Text(action, "time").c_str(), Text(action, "key").c_str(),
                Text(action, "role").c_str(), Text(action, "from").c_str(), Text(action, "operation").c_str(),
                Text(action, "target").c_str(), Text(action, "status").c_str(),
                action.value("exception", "").empty() ? "" : Text(action, "exception").c_str());
  }
  std::fflush(stdout);
}

Status ShowLog(const LogArguments& arguments) {
  FW_ASSIGN(LocalClient client, LocalClient::Open(DataFolder(arguments.data)));
  FW_ASSIGN(Timestamp since, ParseSince(arguments.since));
  std::uint64_t after = 0;
  for (;;) {
    FW_ASSIGN(json answer, client.Call("GET", "/fleetward/v1/operator-log?after=" + std::to_string(after) +
                                                  "&since=" + std::to_string(ToMillis(since))));
    const json actions = answer.value("actions", json::array());
    for (const json& action : actions) {
      PrintAction(action, arguments.as_json);
      after = action.value("seq", after);
    }
    if (!actions.empty()) continue;
    if (!arguments.follow) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

Status ChangeKeys(const KeyArguments& arguments) {
  FW_ASSIGN(LocalClient client, LocalClient::Open(DataFolder(arguments.data)));
  if (arguments.action == "list") return ListKeys(client, arguments.as_json);
  if (arguments.action == "create") return CreateKey(client, arguments);
  if (arguments.action == "rotate") return RotateKey(client, arguments);
  std::string target = "/fleetward/v1/keys/" + PercentEncode(arguments.id);
  bool remove = arguments.action == "delete";
  FW_TRY(client.Call(remove ? "DELETE" : "POST", remove ? target : target + '/' + arguments.action));
  std::printf("%s %sd\n", arguments.id.c_str(), arguments.action.c_str());
  return {};
}

}  // namespace

int RunKeys(const KeyArguments& arguments) {
  Status done = ChangeKeys(arguments);
  return done.ok() ? 0 : Fail(done.error());
}

int RunLog(const LogArguments& arguments) {
  Status done = ShowLog(arguments);
  return done.ok() ? 0 : Fail(done.error());
}

}  // namespace fleetward::app
