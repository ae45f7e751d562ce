#include "counts.h"

namespace fleetward::plugin {

report::CounterRecord RecordOf(const Counts& counts, std::string_view client_id, std::string_view fingerprint,
                               std::string_view source_ip, bool connected) {
  report::CounterRecord record;
  record.flags = connected ? report::CounterRecord::kConnected : 0;
  record.client_id = client_id;
  record.fingerprint = fingerprint;
  record.source_ip = source_ip;
  record.messages_sent = counts.messages_sent;
  record.bytes_sent = counts.bytes_sent;
  record.max_payload = counts.max_payload;
  record.min_payload = counts.min_payload;
  record.messages_received = counts.messages_received;
  record.authorization_failures = counts.authorization_failures;
  record.connection_attempts = counts.connection_attempts;
  record.disconnects = counts.disconnects;
  record.messages_discarded = counts.messages_discarded;
  return record;
}

}  // namespace fleetward::plugin
