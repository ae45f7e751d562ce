#include "fleetward/crypto/key_generator.h"

namespace fleetward::crypto {

KeyGenerator::KeyGenerator(Options options) : options_(options), worker_([this] { Run(); }) {}

KeyGenerator::~KeyGenerator() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  worker_.join();
}

Result<PrivateKey> KeyGenerator::TakeRsa2048() {
  std::unique_lock lock(mutex_);
  if (waiting_ >= options_.max_waiting && stock_.empty()) {
    return Error(Code::kThrottled, "Too many keys are being created at once; try again.");
  }
  started_ = true;
  ++waiting_;
  wanted_.notify_one();
  made_.wait(lock, [&] { return !stock_.empty(); });
  --waiting_;
  Result<PrivateKey> key = std::move(stock_.front());
  stock_.pop_front();
  wanted_.notify_one();
  return key;
}

void KeyGenerator::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [&] {
      return stopping_ || (started_ && stock_.size() < std::max(options_.ready_keys, waiting_));
    });
    if (stopping_) return;
    lock.unlock();
    Result<PrivateKey> key = PrivateKey::GenerateRsa2048();
    lock.lock();
    stock_.push_back(std::move(key));
    made_.notify_one();
  }
}

}  // namespace fleetward::crypto
