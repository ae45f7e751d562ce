#include "fleetward/notify/dispatcher.h"

#include <algorithm>

#include "fleetward/base/log.h"

namespace fleetward::notify {
namespace {

constexpr std::size_t kBatch = 64;

}  // namespace

std::string_view FailureName(Failure failure) {
  switch (failure) {
    case Failure::kNone: return "none";
    case Failure::kConnect: return "connect";
    case Failure::kTls: return "tls";
    case Failure::kAuthentication: return "authentication";
    case Failure::kRefused: return "refused";
    case Failure::kTimeout: return "timeout";
    case Failure::kInvalid: return "invalid";
    case Failure::kOther: return "other";
  }
  return "other";
}

Dispatcher::Dispatcher(Outbox& outbox, const Clock& clock, std::map<std::string, Channel*> channels,
                       DispatcherSettings settings, CounterRegistry& counters)
    : outbox_(outbox), clock_(clock), channels_(std::move(channels)), settings_(settings), counters_(counters) {
  outbox_.OnAdded([this] {
    std::lock_guard lock(mutex_);
    added_ = true;
    wake_.notify_all();
  });
}

Dispatcher::~Dispatcher() {
  Stop();
  outbox_.OnAdded(nullptr);
}

void Dispatcher::Start() {
  for (int i = 0; i < settings_.workers; ++i) threads_.emplace_back([this] { Work(); });
}

void Dispatcher::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

// Picks a due delivery that no other worker holds.
bool Dispatcher::Claim(Delivery& delivery) {
  auto due = outbox_.Due(kBatch);
  if (!due.ok()) {
    log::Warning("outbox-unreadable", {{"error", due.error().ToString()}});
    return false;
  }
  std::lock_guard lock(mutex_);
  for (Delivery& candidate : *due) {
    if (claimed_.insert(candidate.Key()).second) {
      delivery = std::move(candidate);
      return true;
    }
  }
  return false;
}

void Dispatcher::Work() {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      added_ = false;
    }
    Delivery delivery;
    if (Claim(delivery)) {
      Attend(delivery);
      continue;
    }
    // A second at the most: a retry may fall due, or the system's clock may step.
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_ || added_; });
  }
}

std::size_t Dispatcher::RunOnce() {
  std::size_t tried = 0;
  for (Delivery delivery; Claim(delivery); ++tried) Attend(delivery);
  return tried;
}

Millis Dispatcher::Backoff(int attempts) const {
  Millis wait = settings_.first_retry;
  for (int i = 0; i < attempts && wait < settings_.longest_retry; ++i) wait *= 2;
  return std::min(wait, settings_.longest_retry);
}

void Dispatcher::Attend(const Delivery& delivery) {
  auto channel = channels_.find(delivery.protocol);
  Attempt attempt = channel == channels_.end()
                        ? Attempt{Failure::kInvalid, false, "no channel for protocol " + delivery.protocol}
                        : channel->second->Send(delivery);
  Status marked;
  if (attempt.failure == Failure::kNone) {
    counters_.AddCounter("fleetward_notifications_sent_total", "Messages handed to their endpoint.").Add();
    marked = outbox_.MarkDone(delivery);
  } else {
    counters_
        .AddCounter("fleetward_notification_failures_total", "Failed attempts to deliver a message, by reason.",
                    "reason=\"" + std::string(FailureName(attempt.failure)) + '"')
        .Add();
    std::string reason = std::string(FailureName(attempt.failure)) + ": " + attempt.detail;
    log::Warning("delivery-failed", {{"message", delivery.message_id.Hex()}, {"topic", delivery.topic},
                                     {"attempt", delivery.attempts + 1}, {"reason", reason}});
    bool give_up = !attempt.retry || clock_.Now() - delivery.created > settings_.give_up_after;
    marked = give_up ? outbox_.MarkDead(delivery, reason)
                     : outbox_.MarkFailed(delivery, reason, clock_.Now() + Backoff(delivery.attempts));
  }
  // A mark that could not be stored leaves the delivery due: it is sent again with the same Message-ID (D23).
  if (!marked.ok()) log::Warning("delivery-not-marked", {{"error", marked.error().ToString()}});
  std::lock_guard lock(mutex_);
  claimed_.erase(delivery.Key());
}

}  // namespace fleetward::notify
