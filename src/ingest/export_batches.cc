#include "export_batches.h"

#include <algorithm>
#include <utility>

namespace fleetward::ingest {
namespace {

constexpr std::string_view kHead = R"({"version":"1.0","metrics":[)", kTail = "]}";

}  // namespace

std::uint64_t ExportBatches::Add(const std::string& topic, std::string_view item, std::int64_t now_ms) {
  if (item.size() > limits_.value_bytes) return 1;
  std::uint64_t dropped = 0;
  while (waiting_ + item.size() > limits_.waiting_bytes) {
    if (ready_.empty()) return dropped + 1;
    dropped += ready_.front().values;
    waiting_ -= ready_.front().payload.size();
    ready_.pop_front();
  }
  auto open = open_.find(topic);
  if (open != open_.end() && open->second.message.payload.size() + item.size() > limits_.message_bytes) {
    Close(open);
    open = open_.end();
  }
  if (open == open_.end()) {
    open = open_.emplace(topic, Open{{topic, std::string(kHead), 0}, now_ms + limits_.interval_ms}).first;
    waiting_ += kHead.size();
  }
  ExportMessage& message = open->second.message;
  const std::size_t before = message.payload.size();
  if (message.values++ > 0) message.payload += ',';
  message.payload.append(item);
  waiting_ += message.payload.size() - before;
  return dropped;
}

void ExportBatches::Close(std::map<std::string, Open>::iterator open) {
  ExportMessage message = std::move(open->second.message);
  open_.erase(open);
  message.payload.append(kTail);
  waiting_ += kTail.size();
  ready_.push_back(std::move(message));
}

std::optional<ExportMessage> ExportBatches::Take(std::int64_t now_ms, bool all) {
  if (ready_.empty()) {
    auto due = std::find_if(open_.begin(), open_.end(),
                            [&](const auto& open) { return all || open.second.due_ms <= now_ms; });
    if (due == open_.end()) return std::nullopt;
    Close(due);
  }
  ExportMessage message = std::move(ready_.front());
  ready_.pop_front();
  waiting_ -= message.payload.size();
  return message;
}

void ExportBatches::GiveBack(ExportMessage message) {
  waiting_ += message.payload.size();
  ready_.push_front(std::move(message));
}

}  // namespace fleetward::ingest
