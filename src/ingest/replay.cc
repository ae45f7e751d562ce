#include "replay.h"

#include <thread>
#include <utility>

#include "fleetward/base/log.h"

namespace fleetward::ingest {
namespace {

constexpr std::size_t kBatchBytes = 4 << 20;  // of records, then the shards wait for each other

/// Runs `fn` for each shard, each on a thread of its own.
Status ForEachShard(const std::vector<std::unique_ptr<Shard>>& shards, const std::function<Status(Shard&)>& fn) {
  std::vector<Status> done(shards.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < shards.size(); ++i) {
    threads.emplace_back([&, i] { done[i] = fn(*shards[i]); });
  }
  done[0] = fn(*shards[0]);
  for (std::thread& thread : threads) thread.join();
  for (Status& status : done) FW_TRY(std::move(status));
  return {};
}

}  // namespace

Result<std::uint64_t> ReplayLog(store::EventLog& log, store::LogPosition from,
                                const std::vector<std::unique_ptr<Shard>>& shards) {
  std::uint64_t records = 0;
  if (from < log.first_position() && log.durable_position() > 0) {
    return Error(Code::kCorrupt, "the event log begins behind the state that was derived from it");
  }
  if (from <= log.durable_position()) {
    FW_ASSIGN(auto reader, log.ReadFrom(from));
    LogBatch batch;
    auto give = [&]() -> Status {
      FW_TRY(ForEachShard(shards, [&](Shard& shard) { return shard.Replay(batch); }));
      batch = LogBatch();
      return {};
    };
    for (;;) {
      auto record = reader->Next();
      if (!record.ok()) {
        if (record.error().code() != Code::kCorrupt) return std::move(record).error();
        log::Error("log-damaged", {{"what", reader->damage().what}, {"first", reader->damage().first},
                                   {"last", reader->damage().last}});
        continue;
      }
      if (!*record) break;
      std::string_view payload = (*record)->payload;
      if (batch.size() > 0 && batch.first + batch.size() != (*record)->position) FW_TRY(give());
      if (batch.size() == 0) batch.first = (*record)->position;
      batch.Add(payload);
      ++records;
      if (batch.bytes.size() >= kBatchBytes) FW_TRY(give());
    }
    if (batch.size() > 0) FW_TRY(give());
  }
  FW_TRY(ForEachShard(shards, [](Shard& shard) { return shard.EndReplay(); }));
  log::Info("log-replayed", {{"records", records}});
  return records;
}

}  // namespace fleetward::ingest
