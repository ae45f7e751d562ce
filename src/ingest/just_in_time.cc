#include "just_in_time.h"

#include <nlohmann/json.hpp>

#include "fleetward/base/log.h"
#include "fleetward/base/thread.h"

namespace fleetward::ingest {
namespace {

constexpr std::size_t kMaxWaiting = 256;

}  // namespace

JustInTime::JustInTime(registry::Certificates& certificates, std::string account, AnswerSink& events,
                       const Clock& clock)
    : certificates_(certificates), account_(std::move(account)), events_(events), clock_(clock) {
  thread_ = std::thread([this] {
    NameThisThread("just-in-time");
    Run();
  });
}

JustInTime::~JustInTime() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

void JustInTime::Offer(std::string_view der) {
  std::lock_guard lock(mutex_);
  if (waiting_.size() >= kMaxWaiting) return;
  waiting_.emplace_back(der);
  wake_.notify_all();
}

void JustInTime::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    std::string der = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    Register(der);
    lock.lock();
  }
}

// The event comes with each try of a device, as long as its certificate waits.
void JustInTime::Register(const std::string& der) {
  auto registered = certificates_.RegisterJustInTime(der);
  if (!registered.ok()) {
    log::Info("just-in-time-refused", {{"error", registered.error().ToString()}});
    return;
  }
  if (!*registered || (*registered)->status != registry::CertificateStatus::kPendingActivation) return;
  const registry::Certificate& certificate = **registered;
  nlohmann::json event = {{"certificateId", certificate.id.value()},
                          {"caCertificateId", certificate.ca_id},
                          {"timestamp", ToMillis(clock_.Now())},
                          {"certificateStatus", "PENDING_ACTIVATION"},
                          {"awsAccountId", account_},
                          {"certificateRegistrationTimestamp", std::to_string(ToMillis(certificate.created))}};
  events_.Send("$aws/events/certificates/registered/" + certificate.ca_id, event.dump());
  events_.Flush();
}

}  // namespace fleetward::ingest
