#include "retained_index.h"

#include <utility>

#include "fleetward/base/encoding.h"
#include "fleetward/base/log.h"
#include "fleetward/base/thread.h"

namespace fleetward::ingest {
namespace {

constexpr store::Table kRetained{"retained_messages"};  // topic (plain): version, time, bytes, QoS, end
constexpr std::uint8_t kVersion = 2, kWithoutEnd = 1;
constexpr auto kRetry = std::chrono::seconds(1);

std::string Encode(const RetainedSummary& entry) {
  std::string record;
  ByteWriter out(record);
  out.U8(kVersion);
  out.SignedVarint(entry.modified_ms);
  out.Varint(entry.payload_bytes);
  out.U8(static_cast<std::uint8_t>(entry.qos));
  out.SignedVarint(entry.expires_ms);
  return record;
}

Result<RetainedSummary> Decode(std::string_view topic, std::string_view record) {
  ByteReader in(record);
  RetainedSummary entry;
  std::uint8_t version = in.U8();
  entry.topic = topic;
  entry.modified_ms = in.SignedVarint();
  entry.payload_bytes = in.Varint();
  entry.qos = in.U8();
  entry.expires_ms = version == kVersion ? in.SignedVarint() : RetainedSummary::kBrokerKnows;
  if ((version != kVersion && version != kWithoutEnd) || !in.ok()) return Error(Code::kCorrupt, "a stored retained message is damaged");
  return entry;
}

}  // namespace

RetainedIndex::RetainedIndex(store::ControlStore& store, CounterRegistry& counters)
    : store_(store),
      lost_changes_(counters.AddCounter("fleetward_retained_changes_lost_total",
                                        "Changes of retained messages that ListRetainedMessages does not know of.")) {
  thread_ = std::thread([this] {
    NameThisThread("retained");
    Run();
  });
}

RetainedIndex::~RetainedIndex() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

void RetainedIndex::Note(RetainedSummary entry) {
  std::lock_guard lock(mutex_);
  if (waiting_.size() >= kMaxWaiting && !waiting_.contains(entry.topic)) {
    lost_changes_.Add();
    ++lost_;
    return;
  }
  std::string topic = entry.topic;
  waiting_.insert_or_assign(std::move(topic), std::move(entry));
  wake_.notify_all();
}

Status RetainedIndex::Write(const std::map<std::string, RetainedSummary>& entries) {
  return store_.Write([&](store::Transaction& tx) -> Status {
    for (const auto& [topic, entry] : entries) {
      FW_TRY(entry.payload_bytes == 0 ? tx.Erase(kRetained, topic) : tx.Put(kRetained, topic, Encode(entry)));
    }
    return {};
  });
}

Status RetainedIndex::Put(const RetainedSummary& entry) { return Write({{entry.topic, entry}}); }

Status RetainedIndex::Forget(const std::vector<RetainedSummary>& entries) {
  return store_.Write([&](store::Transaction& tx) -> Status {
    for (const RetainedSummary& entry : entries) {
      FW_ASSIGN(auto record, tx.Get(kRetained, entry.topic));
      if (!record) continue;
      FW_ASSIGN(RetainedSummary now, Decode(entry.topic, *record));
      if (now.modified_ms == entry.modified_ms) FW_TRY(tx.Erase(kRetained, entry.topic));
    }
    return {};
  });
}

void RetainedIndex::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::map<std::string, RetainedSummary> entries = std::exchange(waiting_, {});
    std::size_t lost = std::exchange(lost_, 0);
    const bool last = stopping_;
    lock.unlock();
    if (lost > 0) log::Warning("retained-changes-lost", {{"changes", lost}});
    Status written = Write(entries);
    if (!written.ok()) log::Warning("retained-index-unwritten", {{"error", written.error().ToString()}});
    lock.lock();
    if (written.ok()) continue;
    if (written.error().code() != Code::kUnavailable) {  // nor would it be another time
      lost_changes_.Add(entries.size());
      continue;
    }
    waiting_.merge(entries);  // what came meanwhile is newer, and stays
    if (last) return;
    wake_.wait_for(lock, kRetry, [this] { return stopping_; });
  }
}

Result<std::optional<RetainedSummary>> RetainedIndex::Find(const std::string& topic) const {
  return store::ReadFor<std::optional<RetainedSummary>>(
      store_, [&](const store::Reader& reader) -> Result<std::optional<RetainedSummary>> {
        FW_ASSIGN(auto record, reader.Get(kRetained, topic));
        if (!record) return std::optional<RetainedSummary>();
        FW_ASSIGN(RetainedSummary entry, Decode(topic, *record));
        return std::optional<RetainedSummary>(std::move(entry));
      });
}

Result<std::vector<RetainedSummary>> RetainedIndex::List(const std::string& after, std::size_t limit) const {
  return store::ReadFor<std::vector<RetainedSummary>>(
      store_, [&](const store::Reader& reader) -> Result<std::vector<RetainedSummary>> {
        std::vector<RetainedSummary> entries;
        Status failed;
        std::string from = after.empty() ? after : after + '\0';
        FW_TRY(reader.Scan(kRetained, from, "", [&](std::string_view topic, std::string_view record) {
          auto entry = Decode(topic, record);
          if (!entry.ok()) {
            failed = entry.error();
            return false;
          }
          entries.push_back(std::move(*entry));
          return entries.size() <= limit;
        }));
        FW_TRY(failed);
        return entries;
      });
}

}  // namespace fleetward::ingest
