#include "old_days.h"

#include <string>
#include <vector>

#include "day_block.h"
#include "fleet.h"
#include "fleetward/telemetry/connection_history.h"
#include "fleetward/telemetry/layout.h"
#include "fleetward/telemetry/maintenance.h"
#include "fleetward/telemetry/violation_store.h"
#include "keys.h"
#include "machine.h"

namespace fleetward::bench {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::size_t kBatchBytes = 4 << 20;
constexpr int kVariants = 32;   // different days of values; encoding one for each thing would take most of the time

/// A day of reports: ten counts and numbers that move, lists that seldom do.
std::string EncodeDay(telemetry::DayEncoder& encoder, Fleet& fleet, std::int64_t day_ms) {
  std::vector<telemetry::Sample> samples(288);
  std::vector<const telemetry::Sample*> order;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    telemetry::Sample& sample = samples[i];
    sample.time = FromMillis(day_ms + static_cast<std::int64_t>(i) * 300'000);
    sample.report_id = 1'700'000'000 + i * 300;
    for (model::MetricId metric = 8; metric < 15; ++metric) sample.AddCount({metric, 0}, static_cast<std::int64_t>(fleet.Random() % 5000));
    sample.AddPorts({15, 0}, std::vector<std::uint16_t>{22, 443, 8883});
    for (int n = 0; n < 4; ++n) {
      auto metric = static_cast<model::MetricId>(model::kFirstCustomMetric + n);
      sample.AddNumber({metric, 0}, static_cast<double>(fleet.Random() % 1000) / 10);
    }
    order.push_back(&sample);
  }
  return std::string(encoder.Encode(order));
}

}  // namespace

OldRows WriteOldDays(store::BlockStore& store, std::uint64_t things, Timestamp now, int days) {
  const telemetry::Retention kept;
  OldRows rows;
  telemetry::DayEncoder encoder;
  Fleet fleet(7);
  store::Batch batch;
  auto write = [&](std::size_t at_least) {
    if (batch.bytes() < at_least) return;
    Check(store.Write(batch), "writing old days");
    batch.Clear();
  };
  const std::int64_t today_ms = ToMillis(now) / kDayMs * kDayMs;
  for (int age = days; age >= 0; --age) {   // age 0: the first day that is kept
    std::int64_t day_ms = today_ms - (kept.metric_days + age) * kDayMs;
    std::vector<std::string> variants;
    for (int i = 0; i < kVariants; ++i) variants.push_back(EncodeDay(encoder, fleet, day_ms));
    for (std::uint64_t thing = 0; thing < things; ++thing) {
      model::EntityId entity = Fleet::EntityOf(thing);
      const std::string& block = variants[fleet.Random() % kVariants];
      batch.Put(telemetry::kFamilyDays, telemetry::DayKey(telemetry::DayOf(FromMillis(day_ms)), entity, 0, 0), block);
      ++rows.blocks;
      rows.block_bytes += block.size();
      std::int64_t at_ms = today_ms - (kept.event_days + age) * kDayMs + static_cast<std::int64_t>(fleet.Random() % kDayMs);
      for (auto type : {model::ViolationEventType::kInAlarm, model::ViolationEventType::kAlarmCleared}) {
        telemetry::EventKey key{FromMillis(at_ms++), {fleet.Random(), fleet.Random()}, type};
        telemetry::PutEvent(batch, key, entity, std::string(400, 'v'));
        ++rows.events;
      }
      telemetry::ConnectionEvent connection;
      connection.entity = entity;
      connection.client_id = Fleet::NameOf(thing);
      connection.time = FromMillis(today_ms - (kept.connection_days + age) * kDayMs + static_cast<std::int64_t>(fleet.Random() % kDayMs));
      telemetry::PutConnectionEvent(batch, connection, thing + 1);
      ++rows.connections;
      write(kBatchBytes);
    }
    write(1);
    Check(store.Flush(), "flushing old days");  // each ten minutes in the server
  }
  // Rows of two weeks' age have long sunk below the level of fresh files.
  for (store::FamilyId family : {telemetry::kFamilyDays, telemetry::kFamilyConnections}) {
    Check(store.CompactRange(family, "", std::string(5, '\xff')), "compacting old days");
  }
  return rows;
}

}  // namespace fleetward::bench
