#include "fleetward/notify/dispatcher.h"

#include <algorithm>

#include "fleetward/base/log.h"

namespace fleetward::notify {

std::string_view FailureName(Failure failure) {
  switch (failure) {
    case Failure::kNone: return "none";
    case Failure::kConnect: return "connect";
    case Failure::kTls: return "tls";
    case Failure::kAuthentication: return "authentication";
    case Failure::kRefused: return "refused";
    case Failure::kTimeout: return "timeout";
    case Failure::kInvalid: return "invalid";
    case Failure::kCancelled: return "cancelled";
    case Failure::kOther: return "other";
  }
  return "other";
}

Dispatcher::Dispatcher(Outbox& outbox, const Clock& clock, std::map<std::string, Channel*> channels,
                       DispatcherSettings settings, CounterRegistry& counters)
    : outbox_(outbox), clock_(clock), channels_(std::move(channels)), settings_(settings), counters_(counters) {
  mail_.workers = settings_.mail_workers;
  http_.workers = settings_.http_workers;
  outbox_.OnAdded([this](const std::vector<std::string>& lanes) { Added(lanes); });
}

Dispatcher::~Dispatcher() {
  Stop();
  outbox_.OnAdded(nullptr);
}

Status Dispatcher::Start() {
  FW_TRY(outbox_.Migrate());
  FW_ASSIGN(auto waiting, outbox_.Lanes());
  {
    std::lock_guard lock(mutex_);
    for (const Outbox::Waiting& each : waiting) {
      Pool& pool = PoolOf(each.lane);
      Lane& lane = pool.lanes[each.lane];
      if (lane.listed) continue;  // something was added meanwhile
      List(pool, each.lane, lane, each.due);
    }
  }
  for (Pool* pool : {&mail_, &http_}) {
    for (int i = 0; i < pool->workers; ++i) threads_.emplace_back([this, pool] { Work(*pool); });
  }
  return {};
}

void Dispatcher::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    mail_.wake.notify_all();
    http_.wake.notify_all();
  }
  for (auto& [protocol, channel] : channels_) channel->Cancel();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

// --- lanes; the lock is held ---

// `lane.due` is part of the queue's key: only here may it change, or Unlist would leave an entry that nobody can remove.
void Dispatcher::List(Pool& pool, const std::string& name, Lane& lane, Timestamp due) {
  Unlist(pool, name, lane);
  lane.due = std::max(due, lane.not_before);
  (lane.slow ? pool.ready_slow : pool.ready).emplace(lane.due, name);
  lane.listed = true;
}

void Dispatcher::Unlist(Pool& pool, const std::string& name, Lane& lane) {
  if (!lane.listed) return;
  pool.ready.erase({lane.due, name});
  pool.ready_slow.erase({lane.due, name});
  lane.listed = false;
}

void Dispatcher::Added(const std::vector<std::string>& lanes) {
  std::lock_guard lock(mutex_);
  Timestamp now = clock_.Now();
  for (const std::string& name : lanes) {
    Pool& pool = PoolOf(name);
    Lane& lane = pool.lanes[name];
    ++lane.additions;
    if (lane.listed && lane.due <= now) continue;
    List(pool, name, lane, now);
    pool.wake.notify_one();
  }
}

std::optional<std::string> Dispatcher::NextLane(Pool& pool, Timestamp now) {
  auto due = [now](const Queue& queue) { return !queue.empty() && queue.begin()->first <= now; };
  if (due(pool.ready)) return pool.ready.begin()->second;
  bool slow_may = pool.slow_running < std::max(1, pool.workers / 2);
  if (slow_may && due(pool.ready_slow)) return pool.ready_slow.begin()->second;
  return std::nullopt;
}

/// Picks a due delivery that no other worker holds. The lock is released while the store is read.
std::optional<Dispatcher::Claim> Dispatcher::Take(Pool& pool, std::unique_lock<std::mutex>& lock) {
  int stale = 0;
  while (auto name = NextLane(pool, clock_.Now())) {
    Lane& lane = pool.lanes[*name];
    Unlist(pool, *name, lane);
    std::set<std::string> held = lane.under_way;
    std::uint64_t additions = lane.additions;
    bool full = held.size() >= settings_.per_lane;
    ++lane.takers;
    lock.unlock();
    Result<std::vector<Delivery>> due = full ? std::vector<Delivery>() : outbox_.DueIn(*name, held.size() + 1);
    Result<std::optional<Timestamp>> next = full || !due.ok() ? std::optional<Timestamp>() : outbox_.NextDueIn(*name, due->size());
    lock.lock();
    --lane.takers;
    if (full) continue;  // listed again when one of its deliveries ends
    if (!due.ok() || !next.ok()) {
      log::Warning("outbox-unreadable", {{"error", (due.ok() ? next.error() : due.error()).ToString()}});
      List(pool, *name, lane, clock_.Now() + std::chrono::seconds(1));
      return std::nullopt;
    }
    // What ended while the store was read may still be in its answer: read again, or it would be sent twice. A lane that
    // changes without end is taken as it is after a few times; a delivery may be repeated (D23).
    if (lane.additions != additions && ++stale < 8) {
      List(pool, *name, lane, clock_.Now());
      continue;
    }
    auto free = std::find_if(due->begin(), due->end(), [&](const Delivery& d) {
      return !held.contains(d.Key()) && !lane.under_way.contains(d.Key());
    });
    bool found = free != due->end();
    if (lane.additions != additions) {
      List(pool, *name, lane, clock_.Now());
    } else if (*next && !lane.listed) {
      List(pool, *name, lane, **next);
    }
    if (!found) {
      if (!lane.listed && lane.under_way.empty() && lane.takers == 0) pool.lanes.erase(*name);
      continue;
    }
    Claim claim{std::move(*free), *name, lane.slow};
    lane.under_way.insert(claim.delivery.Key());
    if (claim.slow) ++pool.slow_running;
    if (int rate = claim.delivery.policy.max_receives_per_second; rate > 0) {
      lane.not_before = std::max(lane.not_before, clock_.Now()) + Millis(1000 / rate);
      if (lane.listed) List(pool, *name, lane, lane.due);
    }
    return claim;
  }
  return std::nullopt;
}

// --- workers ---

void Dispatcher::Work(Pool& pool) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (auto claim = Take(pool, lock)) {
      if (NextLane(pool, clock_.Now())) pool.wake.notify_one();
      lock.unlock();
      Attend(pool, *claim);
      lock.lock();
      continue;
    }
    if (stopping_) return;
    // A second at the most while something waits: the system's clock may step.
    bool waiting = !pool.ready.empty() || !pool.ready_slow.empty();
    pool.wake.wait_for(lock, waiting ? std::chrono::seconds(1) : std::chrono::seconds(60));
  }
}

std::size_t Dispatcher::RunOnce() {
  std::size_t tried = 0;
  for (Pool* pool : {&mail_, &http_}) {
    std::unique_lock lock(mutex_);
    while (auto claim = Take(*pool, lock)) {
      lock.unlock();
      Attend(*pool, *claim);
      ++tried;
      lock.lock();
    }
  }
  return tried;
}

std::optional<Millis> Dispatcher::RetryAfter(const Delivery& delivery) const {
  if (delivery.IsHttp()) return RetryDelay(delivery.policy, delivery.attempts);
  if (clock_.Now() - delivery.created > settings_.give_up_after) return std::nullopt;
  Millis wait = settings_.first_retry;
  for (int i = 0; i < delivery.attempts && wait < settings_.longest_retry; ++i) wait *= 2;
  return std::min(wait, settings_.longest_retry);
}

Status Dispatcher::Mark(const Delivery& delivery, const Attempt& attempt) {
  if (attempt.failure == Failure::kNone) {
    counters_.AddCounter("fleetward_notifications_sent_total", "Messages handed to their endpoint.").Add();
    return outbox_.MarkDone(delivery);
  }
  counters_
      .AddCounter("fleetward_notification_failures_total", "Failed attempts to deliver a message, by reason.",
                  "reason=\"" + std::string(FailureName(attempt.failure)) + '"')
      .Add();
  if (attempt.failure == Failure::kCancelled) return {};  // it was not the endpoint's fault, and is still due
  std::string reason = std::string(FailureName(attempt.failure)) + ": " + attempt.detail;
  log::Warning("delivery-failed", {{"message", delivery.message_id.Hex()}, {"topic", delivery.topic},
                                   {"attempt", delivery.attempts + 1}, {"reason", reason}});
  auto wait = attempt.retry ? RetryAfter(delivery) : std::nullopt;
  if (!wait) return outbox_.MarkDead(delivery, reason);
  return outbox_.MarkFailed(delivery, reason, clock_.Now() + *wait);
}

void Dispatcher::Attend(Pool& pool, const Claim& claim) {
  const Delivery& delivery = claim.delivery;
  auto channel = channels_.find(delivery.protocol);
  std::int64_t start = clock_.MonotonicMillis();
  Attempt attempt = channel == channels_.end()
                        ? Attempt{Failure::kInvalid, false, "no channel for protocol " + delivery.protocol}
                        : channel->second->Send(delivery);
  bool slow = clock_.MonotonicMillis() - start > settings_.slow_after.count();
  // A mark that could not be stored leaves the delivery due: it is sent again with the same id (D23).
  Status marked = Mark(delivery, attempt);
  if (!marked.ok()) log::Warning("delivery-not-marked", {{"error", marked.error().ToString()}});
  std::lock_guard lock(mutex_);
  Lane& lane = pool.lanes[claim.lane];
  lane.under_way.erase(delivery.Key());
  if (claim.slow) --pool.slow_running;
  Unlist(pool, claim.lane, lane);
  lane.slow = slow;
  ++lane.additions;
  // Whether and when more is due is asked when its turn comes; after a failed mark not at once.
  List(pool, claim.lane, lane, clock_.Now() + (marked.ok() ? Millis(0) : Millis(1000)));
  pool.wake.notify_one();
}

}  // namespace fleetward::notify
