// status, why, metrics, mail: what a running installation says of itself.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "commands.h"
#include "fleetward/base/encoding.h"
#include "local_client.h"

namespace fleetward::app {
namespace {

using nlohmann::json;

// Text of a device on its way to a terminal: control characters could move the cursor or worse.
std::string Shown(const std::string& text) {
  std::string out;
  for (unsigned char c : text) {
    if (c == '\r') continue;  // mails end their lines so
    if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f) {
      out += '?';
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

std::string Text(const json& j, const char* key) {
  if (!j.contains(key) || j[key].is_null()) return "-";
  return Shown(j[key].is_string() ? j[key].get<std::string>() : j[key].dump());
}

Result<json> Ask(const std::string& data, const std::string& target) {
  FW_ASSIGN(LocalClient client, LocalClient::Open(DataFolder(data)));
  return client.Call("GET", "/fleetward/v1/" + target);
}

void PrintInstallation(const std::string& data, const json& j) {
  auto endpoint = ReadEndpoint(DataFolder(data));
  std::printf("Fleetward %s, up since %s\n", Text(j, "version").c_str(), Text(j, "startedAt").c_str());
  if (endpoint.ok()) {
    std::printf("  API       %s\n  MQTT      %s:%d\n", endpoint->api.c_str(), endpoint->mqtt_host.c_str(),
                endpoint->mqtt_port);
  }
  std::printf("  serving   %s (brokers %s, store %s)\n", j.value("serving", false) ? "yes" : "no",
              Text(j, "brokers").c_str(), j.value("storeWritable", false) ? "writable" : "NOT WRITABLE");
  std::printf("  things    %s known to detection\n  alarms    %s\n", Text(j, "things").c_str(),
              Text(j, "alarms").c_str());
  for (const json& digest : j.value("digests", json::array())) {
    std::printf("  digest    %s: most things violate it by its definition, so its alerts are sent as one digest a window\n",
                Shown(digest.get<std::string>()).c_str());
  }
  if (j.contains("deliveries")) {
    std::printf("  messages  waiting %s, dead letters %s (fleetward dead-letters)\n",
                Text(j["deliveries"], "waiting").c_str(), Text(j["deliveries"], "dead").c_str());
  }
  if (!j.contains("mail")) return;
  const json& mail = j["mail"];
  std::printf("  mail      %s; waiting %s, undeliverable %s, kept %s\n", Text(mail, "sent").c_str(),
              Text(mail, "pending").c_str(), Text(mail, "undeliverable").c_str(), Text(mail, "kept").c_str());
}

void PrintThing(const json& j) {
  std::printf("%s (%s%s)\n", Text(j, "thingName").c_str(), j.value("registered", false) ? "registered" : "unregistered",
              j.value("known", false) ? "" : ", nothing seen yet");
  if (!j.value("known", false)) return;
  std::printf("  thingId        %s\n", Text(j, "thingId").c_str());
  std::printf("  connections    %s (last change %s, client %s from %s)\n", Text(j, "connections").c_str(),
              Text(j, "lastConnectionChange").c_str(), Text(j, "lastClientId").c_str(), Text(j, "lastAddress").c_str());
  std::printf("  last report    %s (id %s)\n", Text(j, "lastReport").c_str(), Text(j, "lastReportId").c_str());
  for (const json& fault : j.value("faults", json::array())) {
    std::printf("  fault          %s %s\n", Text(fault, "time").c_str(), Text(fault, "fault").c_str());
  }
}

void PrintBehavior(const json& b) {
  const json& behavior = b["behavior"];
  std::printf("\n%s / %s: %s\n", Text(b, "securityProfileName").c_str(), Text(behavior, "name").c_str(),
              b.value("inAlarm", false) ? "IN ALARM" : Text(b, "verdict").c_str());
  std::printf("  %s\n", Text(b, "why").c_str());
  std::printf("  normal is      %s %s\n", Text(behavior, "metric").c_str(),
              behavior.contains("criteria") ? Shown(behavior["criteria"].dump()).c_str() : "(no criteria)");
  std::printf("  last value     %s at %s\n", Text(b, "lastValue").c_str(), Text(b, "lastSeen").c_str());
  std::printf("  datapoints     %s violating of %s to alarm, %s conforming of %s to clear\n",
              Text(b, "violatingDatapoints").c_str(), Text(b, "datapointsToAlarm").c_str(),
              Text(b, "conformingDatapoints").c_str(), Text(b, "datapointsToClear").c_str());
  if (b.value("inAlarm", false)) {
    std::printf("  violation      %s since %s\n", Text(b, "violationId").c_str(), Text(b, "firstViolation").c_str());
  }
}

void PrintTransition(const json& event) {
  std::printf("%s  %s %s / %s: %s\n", Text(event, "time").c_str(), Text(event, "type").c_str(),
              Text(event, "securityProfileName").c_str(), Text(event, "behaviorName").c_str(), Text(event, "reason").c_str());
}

void PrintValue(const json& entry) {
  std::string marks;
  for (const json& mark : entry.value("marks", json::array())) {
    marks += (marks.empty() ? "  (" : ", ") + Shown(mark.get<std::string>());
  }
  std::printf("%s  %s%s\n", Text(entry, "time").c_str(),
              Shown(entry["value"].dump(-1, ' ', false, json::error_handler_t::replace)).c_str(),
              marks.empty() ? "" : (marks + ")").c_str());
}

void PrintGap(const json& entry) {
  std::string reason = entry.value("reason", "");
  if (!reason.empty()) reason = " (" + Shown(reason) + ")";
  std::printf("%s  no values until %s: %s%s, %s missing\n", Text(entry, "from").c_str(), Text(entry, "to").c_str(),
              Text(entry, "gap").c_str(), reason.c_str(), Text(entry, "missing").c_str());
}

int WaitUntilServing(const std::string& data, int seconds) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    auto answer = Ask(data, "status");
    if (answer.ok() && answer->value("serving", false)) {
      PrintInstallation(data, *answer);
      return 0;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      if (!answer.ok()) return Fail(answer.error());
      PrintInstallation(data, *answer);
      return 1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace

int Fail(const Error& error) {
  std::fprintf(stderr, "fleetward: %s\n", Shown(error.message()).c_str());
  return 1;
}

int RunStatus(const std::string& data, int wait_seconds, const std::string& thing) {
  if (thing.empty()) return WaitUntilServing(data, std::max(0, wait_seconds));
  auto answer = Ask(data, "things/" + PercentEncode(thing));
  if (!answer.ok()) return Fail(answer.error());
  PrintThing(*answer);
  return answer->value("known", false) || answer->value("registered", false) ? 0 : 1;
}

int RunWhy(const std::string& data, const std::string& thing, const std::string& behavior) {
  auto answer = Ask(data, "why/" + PercentEncode(thing) + (behavior.empty() ? "" : "?behavior=" + PercentEncode(behavior)));
  if (!answer.ok()) return Fail(answer.error());
  std::printf("%s (%s): last report %s, %s connections\n", Text(*answer, "thingName").c_str(),
              answer->value("registered", false) ? "registered" : "unregistered", Text(*answer, "lastReport").c_str(),
              Text(*answer, "connections").c_str());
  const json behaviors = answer->value("behaviors", json::array());
  for (const json& b : behaviors) PrintBehavior(b);
  const json transitions = answer->value("transitions", json::array());
  if (!transitions.empty()) std::printf("\nThe latest transitions, newest first:\n");
  for (const json& event : transitions) PrintTransition(event);
  if (!behaviors.empty()) return 0;
  std::printf("No %s: %s\n", behavior.empty() ? "alarm is possible" : "such behavior",
              answer->value("known", false)
                  ? "no security profile with behaviors covers this thing; attach one to its group or to all things"
                  : "nothing was heard of this thing yet, and no profile covers it");
  return 1;
}

int RunMetrics(const MetricsArguments& arguments) {
  auto seconds = ParseSpan(arguments.since);
  if (!seconds.ok()) return Fail(seconds.error());
  std::string target = "metrics/" + PercentEncode(arguments.thing) + "?metric=" + PercentEncode(arguments.metric) +
                       "&seconds=" + std::to_string(*seconds);
  if (!arguments.dimension.empty()) {
    target += "&dimension=" + PercentEncode(arguments.dimension) + "&operator=" + (arguments.not_in ? "NOT_IN" : "IN");
  }
  auto answer = Ask(arguments.data, target);
  if (!answer.ok()) return Fail(answer.error());
  const json entries = answer->value("entries", json::array());
  std::size_t gaps = 0;
  for (const json& entry : entries) {
    gaps += entry.contains("gap");
    if (arguments.as_json) {
      std::printf("%s\n", entry.dump(-1, ' ', true, json::error_handler_t::replace).c_str());
    } else if (entry.contains("gap")) {
      PrintGap(entry);
    } else {
      PrintValue(entry);
    }
  }
  if (arguments.as_json) return 0;
  std::printf("%s %s since %s: %zu values, %zu gaps%s\n", Text(*answer, "thingName").c_str(),
              Text(*answer, "metric").c_str(), Text(*answer, "from").c_str(), entries.size() - gaps, gaps,
              answer->value("truncated", false) ? "; older ones are left out" : "");
  return 0;
}

int RunConnections(const ConnectionsArguments& arguments) {
  auto seconds = ParseSpan(arguments.since);
  if (!seconds.ok()) return Fail(seconds.error());
  auto answer = Ask(arguments.data, (arguments.thing.empty() ? "connections" : "connections/" + PercentEncode(arguments.thing)) +
                                        "?seconds=" + std::to_string(*seconds));
  if (!answer.ok()) return Fail(answer.error());
  const json events = answer->value("connections", json::array());
  for (const json& event : events) {
    if (arguments.as_json) {
      std::printf("%s\n", event.dump(-1, ' ', true, json::error_handler_t::replace).c_str());
      continue;
    }
    std::string reason = Text(event, "reason"), certificate = Text(event, "certificateId");
    if (certificate.empty()) certificate = "-";
    std::printf("%s  %-12s %s  from %s  certificate %s%s\n", Text(event, "time").c_str(), Text(event, "event").c_str(),
                Text(event, "clientId").c_str(), Text(event, "address").c_str(), certificate.substr(0, 12).c_str(),
                reason.empty() ? "" : ("  " + reason).c_str());
  }
  if (arguments.as_json) return 0;
  std::printf("%zu since %s%s\n", events.size(), Text(*answer, "from").c_str(),
              answer->value("truncated", false) ? "; older ones are left out" : "");
  return 0;
}

int RunDeadLetters(const std::string& data, bool as_json) {
  auto answer = Ask(data, "dead-letters");
  if (!answer.ok()) return Fail(answer.error());
  const json letters = answer->value("deadLetters", json::array());
  for (const json& letter : letters) {
    if (as_json) {
      std::printf("%s\n", letter.dump(-1, ' ', true, json::error_handler_t::replace).c_str());
      continue;
    }
    std::printf("%s %s %s to %s after %s attempts: %s\n", Text(letter, "created").c_str(),
                Text(letter, "messageId").c_str(), Text(letter, "kind").c_str(), Text(letter, "endpoint").c_str(),
                Text(letter, "attempts").c_str(), Text(letter, "failure").c_str());
  }
  if (letters.empty() && !as_json) std::printf("No message was given up.\n");
  return 0;
}

int RunMail(const std::string& data) {
  auto answer = Ask(data, "mails");
  if (!answer.ok()) return Fail(answer.error());
  const json kept = answer->value("kept", json::array());
  for (auto mail = kept.rbegin(); mail != kept.rend(); ++mail) {
    std::printf("--- kept %s\n%s\n", Text(*mail, "time").c_str(), Text(*mail, "mail").c_str());
  }
  for (const json& mail : answer->value("undeliverable", json::array())) {
    std::printf("--- undeliverable to %s after %s attempts: %s\n%s\n", Text(mail, "endpoint").c_str(),
                Text(mail, "attempts").c_str(), Text(mail, "failure").c_str(), Text(mail, "body").c_str());
  }
  if (kept.empty()) std::printf("No mail is kept here.\n");
  return 0;
}

}  // namespace fleetward::app
