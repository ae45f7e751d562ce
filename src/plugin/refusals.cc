#include "refusals.h"

namespace fleetward::plugin {

void Refusals::Add(const report::RefusedFrame& frame, const Emit& emit) {
  if (singles_ < kSinglesPerSecond) {
    ++singles_;
    emit(frame);
    return;
  }
  std::pair key(frame.reason, std::string(frame.source_ip));
  if (sums_.size() >= kMaxSums && !sums_.contains(key)) key.second.clear();
  sums_[key] += frame.count;
}

void Refusals::CountRefusedConnect(std::string_view client_id, std::string_view fingerprint,
                                   std::string_view source_ip) {
  Client client{std::string(client_id), std::string(fingerprint), std::string(source_ip)};
  if (clients_.size() >= kMaxClients && !clients_.contains(client)) {
    // Beyond the table the certificate alone is kept, then nothing but the number.
    client.client_id.clear();
    client.source_ip.clear();
    if (clients_.size() >= 2 * kMaxClients && !clients_.contains(client)) client.fingerprint.clear();
  }
  Counts& counts = clients_[client];
  ++counts.connection_attempts;
  ++counts.authorization_failures;
}

void Refusals::Flush(std::int64_t event_time_ms, const Emit& emit) {
  for (const auto& [key, count] : sums_) {
    report::RefusedFrame frame;
    frame.event_time_ms = event_time_ms;
    frame.reason = key.first;
    frame.source_ip = key.second;
    frame.count = count;
    emit(frame);
  }
  sums_.clear();
  singles_ = 0;
}

void Refusals::TakeRecords(RecordBatches& records) {
  for (const auto& [client, counts] : clients_) {
    records.Add(RecordOf(counts, client.client_id, client.fingerprint, client.source_ip, false));
  }
  clients_.clear();
}

}  // namespace fleetward::plugin
