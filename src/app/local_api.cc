#include "local_api.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "fleetward/base/encoding.h"
#include "fleetward/model/json.h"
#include "fleetward/telemetry/connection_history.h"
#include "import_api.h"
#include "metric_view.h"
#include "version.h"

namespace fleetward::app {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kPrefix = "/fleetward/v1/";

http::Response Answer(int status, const ordered_json& body) {
  http::Response response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  return response;
}

http::Response Fault(const Error& error) {
  int status = error.code() == Code::kNotFound ? 404 : error.code() == Code::kUnavailable ? 503 : 400;
  return Answer(status, {{"message", error.message()}});
}

// The decoded path segment behind `prefix`, without the query.
std::string NameIn(const http::Request& request, std::string_view prefix) {
  std::string_view rest = std::string_view(request.target).substr(prefix.size());
  return PercentDecode(rest.substr(0, rest.find('?'))).value_or("");
}

std::string QueryValue(const http::Request& request, std::string_view key) {
  std::size_t mark = request.target.find('?');
  std::string_view rest = mark == std::string::npos ? "" : std::string_view(request.target).substr(mark + 1);
  while (!rest.empty()) {
    std::size_t end = rest.find('&');
    std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == key && equals != std::string_view::npos) {
      return PercentDecode(pair.substr(equals + 1), true).value_or("");
    }
  }
  return "";
}

ordered_json TimeOrNull(Timestamp t) { return ToMillis(t) <= 0 ? ordered_json() : ordered_json(Iso8601(t)); }

http::Response StatusOf(const LocalApiParts& parts) {
  ingest::PipelineStatus status = parts.pipeline.status();
  auto mails = parts.outbox.Counts();
  ordered_json j;
  j["version"] = kVersion;
  j["startedAt"] = Iso8601(parts.started);
  j["serving"] = status.edges > 0 && status.control_link && status.log_healthy;
  j["brokers"] = status.edges;
  j["controlLink"] = status.control_link;
  j["storeWritable"] = status.log_healthy;
  j["things"] = status.things;
  j["alarms"] = status.alarms;
  j["digests"] = status.digests;
  j["watermark"] = TimeOrNull(FromMillis(status.watermark_ms));
  j["logPosition"] = status.log_position;
  j["logBytes"] = status.log_bytes;
  j["mail"] = {{"sent", parts.mails_are_sent ? "by SMTP" : "kept here: notify.smtp.url is not set"}};
  if (mails.ok()) {
    j["mail"]["pending"] = mails->pending;
    j["mail"]["undeliverable"] = mails->dead;
    j["mail"]["kept"] = mails->kept;
    j["deliveries"] = {{"waiting", mails->pending}, {"dead", mails->dead}};
  }
  return Answer(200, j);
}

http::Response ThingStatus(const LocalApiParts& parts, const std::string& name) {
  ingest::ThingReport report = parts.pipeline.Describe(name);
  ordered_json j;
  j["thingName"] = name;
  j["known"] = report.known;
  j["registered"] = report.registered;
  j["thingId"] = report.entity.Uuid();
  j["connections"] = report.open_connections;
  j["lastConnectionChange"] = TimeOrNull(report.last_connection_change);
  j["lastClientId"] = report.last_client_id;
  j["lastAddress"] = report.last_address;
  j["lastReport"] = TimeOrNull(report.last_report);
  j["lastReportId"] = report.last_report_id;
  j["faults"] = ordered_json::array();
  for (const auto& [time, text] : report.faults) j["faults"].push_back({{"time", Iso8601(time)}, {"fault", text}});
  return Answer(200, j);
}

ordered_json Explain(const detect::BehaviorExplanation& e) {
  ordered_json j;
  j["securityProfileName"] = e.profile.value();
  j["behavior"] = model::ToJson(e.behavior);
  j["verdict"] = detect::VerdictName(e.verdict);
  j["why"] = e.why;
  j["lastValue"] = model::ToJson(e.last_value);
  j["lastSeen"] = e.last_seen ? TimeOrNull(*e.last_seen) : ordered_json();
  j["coveredSeconds"] = static_cast<double>(e.covered_ms) / 1000;
  j["neededSeconds"] = static_cast<double>(e.needed_ms) / 1000;
  j["violatingDatapoints"] = e.violating;
  j["datapointsToAlarm"] = e.needed_to_alarm;
  j["conformingDatapoints"] = e.conforming;
  j["datapointsToClear"] = e.needed_to_clear;
  j["inAlarm"] = e.in_alarm;
  j["inStorm"] = e.in_storm;
  j["violationId"] = e.violation_id ? ordered_json(e.violation_id->Hex()) : ordered_json();
  j["firstViolation"] = e.first_violation ? TimeOrNull(*e.first_violation) : ordered_json();
  return j;
}

ordered_json Transition(const model::ViolationEvent& event) {
  ordered_json j;
  j["time"] = Iso8601(event.time);
  j["type"] = model::ViolationEventTypeName(event.type);
  j["securityProfileName"] = event.profile.value();
  j["behaviorName"] = event.behavior.name.value();
  j["metricValue"] = model::ToJson(event.metric_value);
  j["violationId"] = event.violation_id.Hex();
  j["reason"] = event.reason;
  return j;
}

http::Response Why(const LocalApiParts& parts, const std::string& name, const std::string& behavior) {
  ingest::ThingReport report = parts.pipeline.Describe(name);
  ordered_json j;
  j["thingName"] = name;
  j["known"] = report.known;
  j["registered"] = report.registered;
  j["lastReport"] = TimeOrNull(report.last_report);
  j["connections"] = report.open_connections;
  j["behaviors"] = ordered_json::array();
  for (const auto& explanation : report.behaviors) {
    if (behavior.empty() || explanation.behavior.name.value() == behavior) j["behaviors"].push_back(Explain(explanation));
  }
  constexpr std::size_t kTransitions = 10;
  auto latest = parts.alarms.Latest(report.entity, behavior, parts.clock.Now(), kTransitions);
  if (!latest.ok()) return Fault(latest.error());
  j["transitions"] = ordered_json::array();
  for (const model::ViolationEvent& event : *latest) j["transitions"].push_back(Transition(event));
  return Answer(200, j);
}

http::Response Metrics(const LocalApiParts& parts, const http::Request& request, const std::string& name) {
  constexpr std::int64_t kMostSeconds = 10LL * 366 * 86400;
  MetricViewQuery query;
  query.thing = name;
  query.metric = QueryValue(request, "metric");
  std::string dimension = QueryValue(request, "dimension"), op = QueryValue(request, "operator");
  if (!dimension.empty()) {
    auto parsed = model::ParseDimensionOperator(op.empty() ? "IN" : op);
    if (!parsed) return Answer(400, {{"message", "operator must be IN or NOT_IN"}});
    query.dimension = model::MetricDimension{model::DimensionName(dimension), *parsed};
  }
  std::int64_t seconds = std::strtoll(QueryValue(request, "seconds").c_str(), nullptr, 10);
  if (query.metric.empty() || seconds <= 0 || seconds > kMostSeconds) {
    return Answer(400, {{"message", "metric and seconds (1 to ten years) must be given"}});
  }
  query.end = parts.clock.Now();
  query.start = query.end - std::chrono::seconds(seconds);
  auto view = MetricView(parts.pipeline, parts.registry, query);
  return view.ok() ? Answer(200, *view) : Fault(view.error());
}

/// The newest connects, disconnects and refusals: of one thing, or of everybody and nobody.
http::Response Connections(const LocalApiParts& parts, const http::Request& request, const std::optional<std::string>& name) {
  constexpr std::size_t kLimit = 10'000;
  constexpr std::int64_t kMostSeconds = 366LL * 86400;
  std::int64_t seconds = std::strtoll(QueryValue(request, "seconds").c_str(), nullptr, 10);
  if (seconds <= 0 || seconds > kMostSeconds) return Answer(400, {{"message", "seconds (up to a year) must be given"}});
  Timestamp end = parts.clock.Now(), start = end - std::chrono::seconds(seconds);
  std::optional<model::EntityId> entity;
  if (name) entity = parts.pipeline.Describe(*name).entity;
  auto newer = [](const telemetry::ConnectionEvent& a, const telemetry::ConnectionEvent& b) { return a.time > b.time; };
  std::vector<telemetry::ConnectionEvent> newest;  // a heap, the oldest first
  bool truncated = false;
  // Events may stand a little ahead of this machine's clock: the broker's is theirs.
  Status read = telemetry::ScanConnections(parts.pipeline.blocks(), entity, start, end + std::chrono::minutes(10),
                                           [&](const telemetry::ConnectionEvent& event) {
    newest.push_back(event);
    std::push_heap(newest.begin(), newest.end(), newer);
    if (newest.size() > kLimit) {
      std::pop_heap(newest.begin(), newest.end(), newer);
      newest.pop_back();
      truncated = true;
    }
    return true;
  });
  if (!read.ok()) return Fault(read.error());
  std::sort_heap(newest.begin(), newest.end(), newer);
  ordered_json j = {{"from", Iso8601(start)}, {"truncated", truncated}, {"connections", ordered_json::array()}};
  for (auto event = newest.rbegin(); event != newest.rend(); ++event) {
    constexpr const char* kTypes[] = {"connected", "disconnected", "refused"};
    ordered_json row = {{"time", Iso8601(event->time)}, {"event", kTypes[static_cast<std::size_t>(event->type)]},
                        {"clientId", event->client_id}, {"certificateId", event->certificate_id},
                        {"address", event->address ? event->address->ToString() : ""}, {"reason", event->reason}};
    if (ToMillis(event->connected_at) > 0) row["connectedAt"] = Iso8601(event->connected_at);
    j["connections"].push_back(std::move(row));
  }
  return Answer(200, j);
}

http::Response Mails(const LocalApiParts& parts) {
  constexpr std::size_t kLimit = 100;
  auto kept = parts.outbox.Kept(kLimit);
  auto dead = parts.outbox.Dead(kLimit);
  if (!kept.ok()) return Fault(kept.error());
  if (!dead.ok()) return Fault(dead.error());
  ordered_json j = {{"kept", ordered_json::array()}, {"undeliverable", ordered_json::array()}};
  for (const auto& [time, mail] : *kept) j["kept"].push_back({{"time", Iso8601(time)}, {"mail", mail}});
  for (const auto& delivery : *dead) {
    j["undeliverable"].push_back({{"endpoint", delivery.endpoint}, {"topic", delivery.topic},
                                  {"attempts", delivery.attempts}, {"failure", delivery.last_failure},
                                  {"body", delivery.body}});
  }
  return Answer(200, j);
}

// Bodies of confirmations hold tokens: they are left out.
http::Response DeadLetters(const LocalApiParts& parts) {
  constexpr std::size_t kLimit = 1000;
  auto dead = parts.outbox.Dead(kLimit);
  if (!dead.ok()) return Fault(dead.error());
  ordered_json j = {{"deadLetters", ordered_json::array()}};
  for (const auto& d : *dead) {
    ordered_json letter = {{"messageId", d.message_id.Uuid()}, {"kind", d.kind}, {"topicArn", d.topic},
                           {"protocol", d.protocol}, {"endpoint", d.endpoint}, {"created", Iso8601(d.created)},
                           {"attempts", d.attempts}, {"failure", d.last_failure}};
    if (d.kind == "notification") letter["subject"] = d.subject, letter["message"] = d.body;
    j["deadLetters"].push_back(std::move(letter));
  }
  return Answer(200, j);
}

http::Response SigningCertificate(const LocalApiParts& parts, const http::Request& request) {
  auto pem = request.method == "GET" ? parts.signer.CertificatePem(NameIn(request, "/")) : std::nullopt;
  if (!pem) return Answer(404, {{"message", "there is no such certificate"}});
  http::Response response;
  response.headers = {{"Content-Type", "application/x-pem-file"}, {"Cache-Control", "public, max-age=86400"}};
  response.body = std::move(*pem);
  return response;
}

http::Response Provision(const LocalApiParts& parts, const api::CallContext& context, const http::Request& request,
                         const std::string& name) {
  if (request.method != "POST") return Answer(405, {{"message", "use POST"}});
  auto body = nlohmann::json::parse(request.body, nullptr, false);
  if (!body.is_object() || !body.contains("csr") || !body["csr"].is_string()) {
    return Answer(400, {{"message", "the body must be {\"csr\": PEM}"}});
  }
  auto provisioned =
      registry::ProvisionThing(parts.registry, context.principal ? context.principal->access_key_id : "-",
                               model::ThingName(name), body["csr"].get_ref<const std::string&>());
  if (!provisioned.ok()) return Fault(provisioned.error());
  return Answer(200, {{"thingName", provisioned->thing.name.value()},
                      {"certificatePem", provisioned->certificate_pem},
                      {"certificateId", provisioned->certificate.id.value()},
                      {"enforced", provisioned->enforced}});
}

http::Response Import(const LocalApiParts& parts, const api::CallContext& context, const http::Request& request) {
  if (request.method != "POST") return Answer(405, {{"message", "use POST"}});
  auto body = nlohmann::json::parse(request.body, nullptr, false);
  if (!body.is_object() || !body.contains("rows") || !body["rows"].is_array() || body["rows"].size() > kMaxImportRows) {
    return Answer(400, {{"message", "the body must be {\"rows\": [at most " + std::to_string(kMaxImportRows) + "]}"}});
  }
  ordered_json answer = ordered_json::array();
  std::vector<registry::ImportRow> rows;
  std::vector<std::size_t> places;
  for (const auto& json : body["rows"]) {
    answer.push_back(ordered_json::object());
    auto row = ImportRowFromJson(json);
    if (row.ok()) {
      rows.push_back(std::move(*row));
      places.push_back(answer.size() - 1);
    } else {
      answer.back()["error"] = row.error().message();
    }
  }
  auto results = parts.importer.Import(context.principal ? context.principal->access_key_id : "-", rows);
  if (!results.ok()) return Fault(results.error());
  for (std::size_t i = 0; i < results->size(); ++i) {
    const registry::ImportedRow& result = (*results)[i];
    ordered_json& out = answer[places[i]];
    out["thingName"] = rows[i].thing_name;
    if (!result.error.empty()) out["error"] = result.error;
    if (!result.certificate_id.empty()) out["certificateId"] = result.certificate_id;
    if (!result.certificate_pem.empty()) out["certificatePem"] = result.certificate_pem;
  }
  return Answer(200, {{"rows", answer}});
}

}  // namespace

void RegisterLocalApi(api::Router& router, const LocalApiParts& parts) {
  auto prefix = [](std::string_view name) { return std::string(kPrefix) + std::string(name); };
  router.HandleLocal(prefix("status"), api::LocalAuth::kViewer,
                     [parts](const api::CallContext&, const http::Request&) { return StatusOf(parts); });
  router.HandleLocal(prefix("things/"), api::LocalAuth::kViewer,
                     [parts, at = prefix("things/")](const api::CallContext&, const http::Request& request) {
                       return ThingStatus(parts, NameIn(request, at));
                     },
                     api::LocalScope::kThingInPath);
  router.HandleLocal(prefix("why/"), api::LocalAuth::kViewer,
                     [parts, at = prefix("why/")](const api::CallContext&, const http::Request& request) {
                       return Why(parts, NameIn(request, at), QueryValue(request, "behavior"));
                     },
                     api::LocalScope::kThingInPath);
  router.HandleLocal(prefix("metrics/"), api::LocalAuth::kViewer,
                     [parts, at = prefix("metrics/")](const api::CallContext&, const http::Request& request) {
                       return Metrics(parts, request, NameIn(request, at));
                     },
                     api::LocalScope::kThingInPath);
  router.HandleLocal(prefix("connections"), api::LocalAuth::kViewer,
                     [parts](const api::CallContext&, const http::Request& request) {
                       return Connections(parts, request, std::nullopt);
                     });
  router.HandleLocal(prefix("connections/"), api::LocalAuth::kViewer,
                     [parts, at = prefix("connections/")](const api::CallContext&, const http::Request& request) {
                       return Connections(parts, request, NameIn(request, at));
                     },
                     api::LocalScope::kThingInPath);
  // Mails hold confirmation tokens: whoever reads them can confirm.
  router.HandleLocal(prefix("mails"), api::LocalAuth::kAdmin,
                     [parts](const api::CallContext&, const http::Request&) { return Mails(parts); });
  router.HandleLocal(prefix("import"), api::LocalAuth::kAdmin,
                     [parts](const api::CallContext& context, const http::Request& request) {
                       return Import(parts, context, request);
                     });
  router.HandleLocal(prefix("dead-letters"), api::LocalAuth::kOperator,
                     [parts](const api::CallContext&, const http::Request&) { return DeadLetters(parts); });
  router.HandleLocal("/SimpleNotificationService-", api::LocalAuth::kUnsigned,
                     [parts](const api::CallContext&, const http::Request& request) {
                       return SigningCertificate(parts, request);
                     });
  router.HandleLocal(prefix("provision/"), api::LocalAuth::kAdmin,
                     [parts, at = prefix("provision/")](const api::CallContext& context, const http::Request& request) {
                       return Provision(parts, context, request, NameIn(request, at));
                     });
}

}  // namespace fleetward::app
