// Stands for the server in tests of the broker plugin: listens for frames and prints each as one JSON line; makes
// snapshots and deltas from JSON lines on stdin. Usage: fleetward-edge-testd --socket PATH --state FILE [--no-ack]
//
// stdin: {"op":"snapshot","path":…,"version":…,"policies":[text…],"certificates":[{"id":hex,"status":0,"not_after":s,
// "policies":[numbers],"things":[names]}…],"things":[{"name":…,"certificates":[hex…]}…]} or {"op":"delta",…the same
// members, "from":…,"to":…}, answered by {"type":"delta","hex":…}. {"op":"ack","on":true} switches
// acknowledgements.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"
#include "fleetward/base/file.h"
#include "fleetward/bus/frame_listener.h"
#include "fleetward/policy/document.h"
#include "fleetward/policy/snapshot_builder.h"
#include "fleetward/policy/snapshot_delta.h"

namespace {

using namespace fleetward;
using nlohmann::json;

std::string Text(std::string_view view) { return std::string(view); }

json CounterJson(const report::CounterRecord& r) {
  return {{"client", Text(r.client_id)},
          {"fingerprint", HexEncode(r.fingerprint)},
          {"ip", Text(r.source_ip)},
          {"connected", (r.flags & report::CounterRecord::kConnected) != 0},
          {"sent", r.messages_sent},
          {"bytes", r.bytes_sent},
          {"max_payload", r.max_payload},
          {"received", r.messages_received},
          {"auth_failures", r.authorization_failures},
          {"attempts", r.connection_attempts},
          {"disconnects", r.disconnects},
          {"discarded", r.messages_discarded}};
}

json FrameJson(const report::RawFrame& raw) {
  using report::FrameType;
  json out{{"seq", raw.seq}};
  switch (raw.type) {
    case FrameType::kClock: {
      auto f = report::DecodeClock(raw.body).value();
      out.update({{"type", "clock"}, {"time", f.event_time_ms}, {"step", f.step_ms},
                  {"policy_version", f.policy_version}, {"connected", f.connected_clients}});
      break;
    }
    case FrameType::kReport: {
      auto f = report::DecodeReport(raw.body).value();
      out.update({{"type", "report"}, {"time", f.event_time_ms}, {"thing", Text(f.thing)},
                  {"client", Text(f.client_id)}, {"cbor", f.format == report::ReportFormat::kCbor},
                  {"flags", f.flags}, {"fingerprint", HexEncode(f.fingerprint)}, {"size", f.payload.size()},
                  {"payload", HexEncode(f.payload.substr(0, 256))}});
      break;
    }
    case FrameType::kCounters: {
      auto f = report::DecodeCounters(raw.body).value();
      out.update({{"type", "counters"}, {"bucket", f.bucket_start_ms}, {"length", f.bucket_length_ms},
                  {"flags", f.flags}, {"records", json::array()}});
      while (auto record = report::NextCounter(f).value()) out["records"].push_back(CounterJson(*record));
      break;
    }
    case FrameType::kConnected: {
      auto f = report::DecodeConnected(raw.body).value();
      out.update({{"type", "connected"}, {"time", f.event_time_ms}, {"client", Text(f.client_id)},
                  {"ip", Text(f.source_ip)}, {"connection", f.connection}, {"version", f.version_number},
                  {"protocol", f.protocol}, {"clean", f.clean_session},
                  {"fingerprint", HexEncode(f.fingerprint)}});
      break;
    }
    case FrameType::kDisconnected: {
      auto f = report::DecodeDisconnected(raw.body).value();
      out.update({{"type", "disconnected"}, {"time", f.event_time_ms}, {"client", Text(f.client_id)},
                  {"connection", f.connection}, {"reason", Text(report::DisconnectReasonName(f.reason))}});
      break;
    }
    case FrameType::kRefused: {
      auto f = report::DecodeRefused(raw.body).value();
      out.update({{"type", "refused"}, {"client", Text(f.client_id)}, {"ip", Text(f.source_ip)},
                  {"reason", Text(report::RefusalReasonName(f.reason))}, {"count", f.count},
                  {"topic", Text(f.topic)}, {"fingerprint", HexEncode(f.fingerprint)}});
      break;
    }
    case FrameType::kDropped: {
      auto f = report::DecodeDropped(raw.body).value();
      out.update({{"type", "dropped"}, {"counters", f.counter_records}, {"events", f.events},
                  {"other", f.other_reports}, {"things", json::object()}});
      while (auto entry = report::NextDropped(f).value()) out["things"][Text(entry->thing)] = entry->reports;
      break;
    }
    case FrameType::kApplied: {
      auto f = report::DecodeApplied(raw.body).value();
      out.update({{"type", "applied"}, {"version", f.policy_version}, {"ok", f.ok}});
      break;
    }
    case FrameType::kUnregistered: {
      auto f = report::DecodeUnregistered(raw.body).value();
      out.update({{"type", "unregistered"}, {"client", Text(f.client_id)}, {"der", HexEncode(f.der)},
                  {"fingerprint", HexEncode(f.fingerprint)}});
      break;
    }
    default: out["type"] = "other";
  }
  return out;
}

policy::CertificateEntry CertificateOf(const json& in, std::uint32_t set) {
  policy::CertificateEntry entry;
  entry.fingerprint = policy::FingerprintOf(in.at("id").get<std::string>()).value();
  entry.status = static_cast<policy::CertificateStatus>(in.value("status", 0));
  entry.not_after = FromMillis(in.value("not_after", std::int64_t{4102444800}) * 1000);
  entry.things = in.value("things", std::vector<std::string>{});
  entry.policy_set = set;
  return entry;
}

policy::ThingEntry ThingOf(const json& in) {
  policy::ThingEntry entry;
  entry.name = in.at("name");
  for (const std::string& id : in.value("certificates", std::vector<std::string>{})) {
    entry.certificates.push_back(policy::FingerprintOf(id).value());
  }
  return entry;
}

/// All members as changes; every certificate has a policy set of its own, numbered by `first_set` upwards.
std::vector<policy::SnapshotChange> ChangesOf(const json& in) {
  std::vector<policy::SnapshotChange> changes;
  std::uint32_t number = in.value("first_policy", 0u);
  for (const std::string& text : in.value("policies", std::vector<std::string>{})) {
    policy::PolicyEntry entry;
    entry.number = number;
    entry.name = "p" + std::to_string(number);
    entry.body = policy::CompilePolicy(entry.name, text).value().body;
    changes.push_back(entry);
    ++number;
  }
  for (const json& certificate : in.value("certificates", json::array())) {
    policy::PolicySetEntry set;
    set.number = certificate.at("set");
    set.policies = certificate.value("policies", std::vector<std::uint32_t>{});
    changes.push_back(set);
    changes.push_back(CertificateOf(certificate, set.number));
  }
  for (const json& thing : in.value("things", json::array())) changes.push_back(ThingOf(thing));
  return changes;
}

void WriteSnapshot(const json& in) {
  policy::SnapshotInfo info;
  info.version = in.at("version");
  info.region = "us-east-1";
  info.account_id = "123456789012";
  policy::SnapshotBuilder builder(info);
  for (const policy::SnapshotChange& change : ChangesOf(in)) {
    if (const auto* p = std::get_if<policy::PolicyEntry>(&change)) builder.AddPolicy(*p);
    if (const auto* s = std::get_if<policy::PolicySetEntry>(&change)) builder.AddPolicySet(*s);
    if (const auto* c = std::get_if<policy::CertificateEntry>(&change)) builder.AddCertificate(*c);
    if (const auto* t = std::get_if<policy::ThingEntry>(&change)) builder.AddThing(*t);
  }
  auto bytes = builder.Build(1);
  Status status = bytes.ok() ? WriteFileAtomic(in.at("path"), *bytes) : Status(bytes.error());
  json out{{"type", "snapshot"}, {"ok", status.ok()}};
  if (!status.ok()) out["error"] = status.error().message();
  std::cout << out << std::endl;
}

void MakeDelta(const json& in) {
  policy::SnapshotDelta delta;
  delta.from_version = in.at("from");
  delta.to_version = in.at("to");
  delta.changes = ChangesOf(in);
  std::cout << json{{"type", "delta"}, {"hex", HexEncode(policy::EncodeDelta(delta))}} << std::endl;
}

struct Server {
  std::unique_ptr<bus::FrameListener> listener;
  std::string state_file;
  bool ack = true;
  std::map<bus::EdgeConnection, std::string> starts;
  std::map<std::string, std::uint64_t> acked;

  void Take(const bus::EdgeBatch& batch) {
    if (batch.hello) {
      std::string start = batch.hello->plugin_start.Hex();
      starts[batch.connection] = start;
      std::cout << json{{"type", "hello"}, {"start", start}, {"edge", Text(batch.hello->edge_id)},
                        {"next_seq", batch.hello->next_seq}}
                << std::endl;
      listener->Welcome(batch.connection, acked[start]);
    }
    for (const report::RawFrame& frame : batch.frames) std::cout << FrameJson(frame) << "\n";
    if (!batch.frames.empty()) std::cout << std::flush;
    if (ack && !batch.frames.empty()) {
      acked[starts[batch.connection]] = batch.frames.back().seq;
      (void)WriteFileAtomic(state_file, json(acked).dump());
      listener->Ack(batch.connection, batch.frames.back().seq);
    }
  }
  void Command(const json& in) {
    std::string op = in.at("op");
    if (op == "snapshot") WriteSnapshot(in);
    if (op == "delta") MakeDelta(in);
    if (op == "ack") {
      ack = in.at("on");
      std::cout << json{{"type", "ack"}, {"on", ack}} << std::endl;
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  Server server;
  bus::FrameListener::Options options;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg == "--no-ack") server.ack = false;
    if (arg == "--socket" && i + 1 < argc) options.path = argv[++i];
    if (arg == "--state" && i + 1 < argc) server.state_file = argv[++i];
  }
  if (auto text = ReadFile(server.state_file); text.ok()) server.acked = json::parse(*text);
  auto opened = bus::FrameListener::Open(options);
  if (!opened.ok()) {
    std::cerr << opened.error().ToString() << std::endl;
    return 1;
  }
  server.listener = std::move(*opened);
  ::fcntl(STDIN_FILENO, F_SETFL, ::fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  std::string input;
  for (;;) {
    auto batches = server.listener->Poll(Millis(10));
    if (!batches.ok()) return 1;
    for (const bus::EdgeBatch& batch : *batches) server.Take(batch);
    char buffer[65536];
    ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got == 0) return 0;
    if (got > 0) input.append(buffer, static_cast<std::size_t>(got));
    for (std::size_t end = input.find('\n'); end != std::string::npos; end = input.find('\n')) {
      server.Command(json::parse(input.substr(0, end)));
      input.erase(0, end + 1);
    }
  }
}
