// Time: buckets, the clock's second, flushing.
#include <utility>

#include "edge.h"

namespace fleetward::plugin {
namespace {

constexpr std::int64_t kPruneEveryMs = 60 * 1000;

}  // namespace

void Edge::OnTick() {
  ++publish_generation_;
  rechecking_ = false;
  failed_handshake_.reset();
  retained_.Closed();
  if (lifecycle_.HasWaiting()) lifecycle_.EndTurn(clock_.NowMs());
  for (const void* key : std::exchange(ended_, {})) {
    Client* client = Find(key);
    if (client != nullptr && !client->online) Forget(key);
  }
  for (const void* key : std::exchange(superseded_, {})) {
    Client* client = Find(key);
    if (client != nullptr && client->online) client->superseded = false;
  }
  std::int64_t monotonic = clock_.MonotonicMs();
  reasons_.Poll(monotonic, [this](const Ended& ended) { EmitEnded(ended); });
  if (!recheck_.empty()) Recheck();
  RollBucketIfDue(clock_.NowMs());
  if (monotonic >= next_second_ms_) {
    next_second_ms_ = monotonic + 1000;
    EverySecond();
  }
  sender_.Pump(monotonic, clock_.NowMs());
}

void Edge::Stop() {
  retained_.Flush([this](const report::RetainedFrame& frame) { sender_.Add(frame); });
  FlushCounters(false, bucket_stepped_);
  sender_.Pump(clock_.MonotonicMs(), clock_.NowMs());
}

void Edge::EverySecond() {
  std::int64_t step = clock_.Adjust();
  if (step != 0) {
    FlushCounters(true, true);
    OpenBucket(clock_.NowMs());
    bucket_stepped_ = true;
  }
  offered_ = 0;
  lifecycle_.EverySecond();
  retained_.Flush([this](const report::RetainedFrame& frame) { sender_.Add(frame); });
  std::int64_t now = clock_.NowMs();
  if (!policies_.loaded() && snapshot_.Load(policies_).ok()) Loaded({});
  EndOverdue(FromMillis(now));
  refusals_.Flush(now, [this](const report::RefusedFrame& frame) { sender_.Add(frame); });
  FlushCounters(false, bucket_stepped_);
  if (clock_.MonotonicMs() >= next_prune_ms_) {
    next_prune_ms_ = clock_.MonotonicMs() + kPruneEveryMs;
    PruneSessions();
  }
  report::ClockFrame frame;
  // An ended connection that still waits for its reason keeps the promise of D2 back.
  frame.event_time_ms = reasons_.OldestMs(now);
  frame.monotonic_ms = clock_.MonotonicMs();
  frame.step_ms = step;
  frame.policy_version = policies_.version();
  frame.connected_clients = static_cast<std::uint32_t>(online_.size());
  sender_.Add(frame);
}

/// Notes when a client that may stay now has to be asked for again though no policy changes. What a policy's change does
/// is seen by Recheck, for the clients that it concerns: no second looks at all of them.
void Edge::Watch(Client& client) {
  if (client.certificate_end != client.rights->CertificateEnd()) {
    expiries_.erase({client.certificate_end, client.key});
    client.certificate_end = client.rights->CertificateEnd();
  }
  expiries_.emplace(client.certificate_end, client.key);
  if (client.rights->LooksAtTime()) timed_.insert(client.key);
}

/// Expiry ends live connections too (threats.md i), and so does a condition on the time.
void Edge::EndOverdue(Timestamp now) {
  std::vector<const void*> over;
  auto ask = [&](const void* key) {
    Client* client = Find(key);
    if (client != nullptr && client->ready() && client->rights->CanStay(now) != policy::Refusal::kNone) over.push_back(key);
  };
  for (auto it = expiries_.begin(); it != expiries_.end() && it->first < now; ++it) ask(it->second);
  std::erase_if(timed_, [this](const void* key) {
    Client* client = Find(key);
    return client == nullptr || !client->rights->LooksAtTime();
  });
  for (const void* key : timed_) ask(key);
  KickAll(over);
}

void Edge::OpenBucket(std::int64_t event_ms) {
  std::int64_t length = options_.bucket_seconds * 1000;
  bucket_start_ms_ = event_ms - event_ms % length;
  bucket_end_ms_ = bucket_start_ms_ + length;
  bucket_stepped_ = false;
}

void Edge::RollBucketIfDue(std::int64_t event_ms) {
  if (event_ms < bucket_end_ms_) return;
  FlushCounters(true, bucket_stepped_);
  OpenBucket(event_ms);
}

/// put(record) for what was counted of the client since the last time: of all topics, then by dimension.
template <class Put>
void Edge::TakeRecords(Client& client, Put&& put) {
  put(RecordOf(client.counts, client.id, client.FingerprintView(), client.source_ip, client.online));
  client.counts = {};
  if (!client.topic_counts) return;
  client.topic_counts->Records(dimensions_, client.id, client.FingerprintView(), client.source_ip, put);
  client.topic_counts.reset();
}

/// Moves the rest of a client that left to the next flush.
void Edge::CloseRecord(Client& client) {
  TakeRecords(client, [this](const report::CounterRecord& record) {
    if (!left_.Add(record)) sender_.CountLostCounters(1);
  });
  client.dirty = false;
}

void Edge::SendRecords(const RecordBatches& batches, std::uint8_t flags) {
  for (const RecordBatches::Batch& batch : batches.batches()) {
    report::CountersFrame frame;
    frame.event_time_ms = std::min(clock_.NowMs(), bucket_end_ms_ - 1);
    frame.bucket_start_ms = bucket_start_ms_;
    frame.bucket_length_ms = options_.bucket_seconds * 1000;
    frame.flags = flags;
    frame.count = batch.count;
    frame.records = batch.records;
    if (!sender_.Add(frame)) sender_.CountLostCounters(batch.count);
  }
}

/// The clients to report; none of them is marked afterwards.
std::vector<Client*> Edge::TakeDirty(bool all_online) {
  std::vector<Client*> clients;
  for (const void* key : std::exchange(dirty_, {})) {
    Client* client = Find(key);
    if (client == nullptr || !client->dirty) continue;
    client->dirty = false;
    if (!all_online || !client->online) clients.push_back(client);
  }
  if (!all_online) return clients;
  clients_.ForEach([&](Client& client) {
    if (client.online && !client.control) clients.push_back(&client);
  });
  return clients;
}

/// Sends what changed; at a bucket's end a record of every connected client, so that silence is a 0 and no gap.
/// What the full buffer does not take stays counted in the clients until the bucket ends, and is then lost, counted.
void Edge::FlushCounters(bool bucket_end, bool clock_step) {
  auto flags = static_cast<std::uint8_t>((bucket_end ? report::CountersFrame::kBucketEnd : 0) |
                                         (clock_step ? report::CountersFrame::kClockStep : 0));
  refusals_.TakeRecords(left_);
  if (!sender_.HasRoomForCounters()) {
    if (!bucket_end) return;
    std::vector<Client*> lost = TakeDirty(false);
    for (Client* client : lost) {
      client->counts = {};
      client->topic_counts.reset();
    }
    sender_.CountLostCounters(left_.count() + lost.size());
    left_.Clear();
    return;
  }
  SendRecords(left_, flags);
  left_.Clear();
  RecordBatches batches;
  for (Client* client : TakeDirty(bucket_end)) {
    TakeRecords(*client, [&](const report::CounterRecord& record) {
      if (batches.Add(record)) return;
      SendRecords(batches, flags);
      batches.Clear();
      batches.Add(record);
    });
  }
  SendRecords(batches, flags);
}

}  // namespace fleetward::plugin
