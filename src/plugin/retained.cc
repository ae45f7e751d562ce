#include "retained.h"

namespace fleetward::plugin {

void RetainedMessages::Note(std::string_view topic, std::uint64_t payload_bytes, int qos, bool may_expire,
                            std::int64_t now_ms, const Emit& emit) {
  Message message{now_ms, payload_bytes, static_cast<std::uint8_t>(qos), may_expire};
  auto known = waiting_.find(topic);
  if (known != waiting_.end()) {
    known->second = message;
    return;
  }
  waiting_.emplace(topic, message);
  if (waiting_.size() >= kMaxWaiting) Flush(emit);
}

void RetainedMessages::Flush(const Emit& emit) {
  if (waiting_.empty()) return;
  std::string entries;
  report::RetainedFrame frame;
  for (const auto& [topic, message] : waiting_) {
    report::AppendRetained({topic, message.time_ms, message.qos, message.payload_bytes, message.may_expire}, entries);
    ++frame.count;
  }
  waiting_.clear();
  frame.entries = entries;
  emit(frame);
}

void RetainedMessages::Opened(const void* client, std::string_view filter) {
  client_ = client;
  filter_.assign(filter);
}

}  // namespace fleetward::plugin
