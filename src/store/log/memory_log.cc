// EventLog in memory: for tests and for servers that keep nothing.
#include <deque>
#include <mutex>

#include "fleetward/store/event_log.h"

namespace fleetward::store {
namespace {

class MemoryLog : public EventLog {
 public:
  explicit MemoryLog(std::uint64_t max_record_bytes) : max_record_bytes_(max_record_bytes) {}

  Result<LogPosition> Append(std::span<const std::string_view> records) override {
    for (std::string_view record : records) {
      if (record.size() > max_record_bytes_) return Error(Code::kInvalidArgument, "the log record is too large");
    }
    std::lock_guard lock(mutex_);
    LogPosition first = Next();
    for (std::string_view record : records) records_.emplace_back(record);
    return first;
  }
  Status Sync() override {
    std::lock_guard lock(mutex_);
    durable_ = Next() - 1;
    return {};
  }
  void DropPending() override {
    std::lock_guard lock(mutex_);
    while (Next() - 1 > durable_) records_.pop_back();
  }
  LogPosition first_position() const override {
    std::lock_guard lock(mutex_);
    return first_;
  }
  LogPosition durable_position() const override {
    std::lock_guard lock(mutex_);
    return durable_;
  }
  LogPosition next_position() const override {
    std::lock_guard lock(mutex_);
    return Next();
  }
  std::uint64_t max_record_bytes() const override { return max_record_bytes_; }
  std::uint64_t disk_bytes() const override { return 0; }

  Result<std::unique_ptr<LogReader>> ReadFrom(LogPosition position) override {
    std::lock_guard lock(mutex_);
    if (position < first_ || position > Next()) return Error(Code::kNotFound, "no such log position");
    return std::unique_ptr<LogReader>(new Reader(*this, position));
  }
  Status TrimBefore(LogPosition position) override {
    std::lock_guard lock(mutex_);
    for (; first_ < position && first_ <= durable_; ++first_) records_.pop_front();
    return {};
  }
  std::uint64_t TrimmableBytes(LogPosition position) const override {
    std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (LogPosition at = first_; at < position && at <= durable_; ++at) sum += records_[at - first_].size();
    return sum;
  }

 private:
  class Reader : public LogReader {
   public:
    Reader(const MemoryLog& log, LogPosition position) : log_(log), next_(position) {}
    Result<std::optional<LogRecord>> Next() override {
      std::lock_guard lock(log_.mutex_);
      if (next_ < log_.first_) return Error(Code::kNotFound, "log records were trimmed while being read");
      if (next_ > log_.durable_) return std::optional<LogRecord>();
      bytes_ = log_.records_[next_ - log_.first_];
      return std::optional<LogRecord>({next_++, bytes_});
    }
    const LogDamage& damage() const override { return damage_; }

   private:
    const MemoryLog& log_;
    LogPosition next_;
    std::string bytes_;
    LogDamage damage_;
  };

  LogPosition Next() const { return first_ + records_.size(); }

  const std::uint64_t max_record_bytes_;
  mutable std::mutex mutex_;
  std::deque<std::string> records_;
  LogPosition first_ = 1, durable_ = 0;
};

}  // namespace

std::unique_ptr<EventLog> MakeMemoryLog(std::uint64_t max_record_bytes) {
  return std::make_unique<MemoryLog>(max_record_bytes);
}

}  // namespace fleetward::store
