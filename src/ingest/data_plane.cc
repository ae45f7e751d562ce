#include "data_plane.h"

#include <algorithm>
#include <set>
#include <utility>

#include "fleetward/report/edge_command.h"

namespace fleetward::ingest {
namespace {

constexpr auto kCommandWait = std::chrono::seconds(5);
// Retained messages that the broker is asked for in one go.
constexpr std::size_t kAskedAtOnce = 100;
constexpr std::uint64_t kAskedBytes = 1 << 20;
constexpr const char* kNoIndex = "nobody notes what is retained";

}  // namespace

DataPlane::DataPlane(ControlLink& control, store::ControlStore* store, const Clock& clock, CounterRegistry& counters)
    : control_(control), clock_(clock) {
  if (store != nullptr) retained_ = std::make_unique<RetainedIndex>(*store, counters);
}

Result<bool> DataPlane::DeleteConnection(const std::string& client_id, bool clean_session, bool send_will) {
  report::EdgeCommand command;
  command.kind = report::EdgeCommandKind::kDeleteConnection;
  command.client_id = client_id;
  command.send_will = send_will;
  command.request = commands_.Open();
  if (!control_.Command(report::EncodeEdgeCommand(command))) {
    commands_.Forget(command.request);
    return Error(Code::kUnavailable, "no broker is connected");
  }
  auto found = commands_.Wait(command.request, kCommandWait);
  if (!found) return Error(Code::kUnavailable, "the broker did not answer");
  if (*found && clean_session) FW_TRY(control_.EndSession(client_id));
  return *found;
}

Status DataPlane::Publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                          const mqtt::Properties& properties) {
  FW_TRY(control_.Publish(topic, payload, qos, retain, properties));
  if (!retain || !retained_) return {};
  std::int64_t now = ToMillis(clock_.Now());
  std::int64_t end = properties.expiry_seconds ? now + 1000LL * *properties.expiry_seconds : 0;
  return retained_->Put({topic, now, payload.size(), qos, end});
}

Result<std::optional<RetainedMessage>> DataPlane::Retained(const std::string& topic) {
  if (!retained_) return Error(Code::kUnavailable, kNoIndex);
  FW_ASSIGN(auto summary, retained_->Find(topic));
  if (!summary) return std::optional<RetainedMessage>();
  FW_ASSIGN(auto found, control_.FetchRetained({topic}));
  auto message = found.find(topic);
  if (message == found.end()) {  // it has expired, or the broker lost it
    FW_TRY(retained_->Forget({*summary}));
    return std::optional<RetainedMessage>();
  }
  return std::optional(RetainedMessage{std::move(*summary), std::move(message->second)});
}

// The broker says of no message when it ends: whether one that may end is still there shows in asking for it. What is
// gone is forgotten, so that it is asked for once.
Status DataPlane::DropExpired(std::vector<RetainedSummary>& entries) {
  std::int64_t now = ToMillis(clock_.Now());
  std::vector<RetainedSummary> gone;
  std::vector<std::string> asked;
  std::uint64_t bytes = 0;
  std::set<std::string> absent;
  auto ask = [&] {
    auto found = control_.FetchRetained(asked);
    if (found.ok()) {
      for (std::string& topic : asked) {
        if (!found->contains(topic)) absent.insert(std::move(topic));
      }
    }
    asked.clear();
    bytes = 0;
    return found.ok();
  };
  bool answers = true;  // without a broker, what was retained is listed
  for (const RetainedSummary& entry : entries) {
    if (entry.expires_ms > 0 && entry.expires_ms <= now) absent.insert(entry.topic);
    if (entry.expires_ms != RetainedSummary::kBrokerKnows || !answers) continue;
    asked.push_back(entry.topic);
    bytes += entry.payload_bytes;
    if (asked.size() == kAskedAtOnce || bytes >= kAskedBytes) answers = ask();
  }
  if (answers && !asked.empty()) ask();
  std::erase_if(entries, [&](const RetainedSummary& entry) {
    if (!absent.contains(entry.topic)) return false;
    gone.push_back(entry);
    return true;
  });
  return gone.empty() ? Status() : retained_->Forget(gone);
}

Result<std::vector<RetainedSummary>> DataPlane::ListRetained(const std::string& after, std::size_t limit) {
  if (!retained_) return Error(Code::kUnavailable, kNoIndex);
  std::vector<RetainedSummary> listed;
  std::string from = after;
  for (;;) {
    FW_ASSIGN(auto entries, retained_->List(from, limit));
    bool more = entries.size() > limit;
    if (!entries.empty()) from = entries.back().topic;
    FW_TRY(DropExpired(entries));
    for (RetainedSummary& entry : entries) {
      if (listed.size() <= limit) listed.push_back(std::move(entry));
    }
    if (!more || listed.size() > limit) return listed;
  }
}

void DataPlane::Note(const report::RetainedEntry& entry) {
  retained_->Note({std::string(entry.topic), entry.time_ms, entry.payload_bytes, entry.qos,
                   entry.may_expire ? RetainedSummary::kBrokerKnows : 0});
}

}  // namespace fleetward::ingest
