#include "fleetward/detect/admission.h"

#include <algorithm>
#include <utility>

namespace fleetward::detect {

ReportAdmission::Key ReportAdmission::KeyOf(std::uint64_t report_id, std::uint64_t body_hash) {
  std::uint64_t x = (report_id ^ 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 31) ^ body_hash) * 0x94d049bb133111ebULL;
  x ^= x >> 29;
  Key key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(x >> (16 + 8 * i));
  return key;
}

bool ReportAdmission::Remembers(const Key& key) const {
  return std::find(keys_.get(), keys_.get() + size_, key) != keys_.get() + size_;
}

/// Most things are remembered for a short time, or never report: the ring grows as it is needed.
void ReportAdmission::Reserve(std::size_t capacity) {
  auto larger = std::make_unique<Key[]>(capacity);
  std::copy(keys_.get(), keys_.get() + size_, larger.get());
  keys_ = std::move(larger);
  capacity_ = static_cast<std::uint8_t>(capacity);
}

void ReportAdmission::Remember(const Key& key) {
  constexpr std::size_t kStep = 8;
  if (next_ == capacity_) Reserve(std::min(capacity_ + kStep, kRememberedReports));
  keys_[next_] = key;
  if (size_ < kRememberedReports) ++size_;
  next_ = static_cast<std::uint8_t>((next_ + 1) % kRememberedReports);
}

Admission ReportAdmission::Decide(const AdmissionOptions& options, Timestamp time, std::uint64_t report_id,
                                  std::uint64_t body_hash, bool spooled) {
  Key key = KeyOf(report_id, body_hash);
  if (report_id <= greatest_id_ && Remembers(key)) return Admission::kDuplicate;
  std::int64_t now = ToMillis(time);
  if (spooled) {
    std::int64_t second = now / 1000;
    if (second != last_spooled_second_) spooled_in_second_ = 0;
    last_spooled_second_ = second;
    if (spooled_in_second_ >= static_cast<std::uint32_t>(options.max_spooled_per_second)) return Admission::kThrottled;
    ++spooled_in_second_;
  } else {
    // 295 of 300 s: agents sleep exactly their interval, and jitter (agent-protocol.md §3).
    std::int64_t least = std::int64_t{options.min_report_interval_seconds} * 1000 * 295 / 300;
    bool first = last_report_ms_ == INT64_MIN;
    // A clock that stepped back must not shut a device out for as long as the step.
    if (!first && now >= last_report_ms_ && now - last_report_ms_ < least) return Admission::kThrottled;
    last_report_ms_ = now;
  }
  greatest_id_ = std::max(greatest_id_, report_id);
  Remember(key);
  return Admission::kAccept;
}

void ReportAdmission::Save(ByteWriter& out) const {
  out.U8(size_);
  out.U8(next_);
  out.Raw({reinterpret_cast<const char*>(keys_.get()), size_ * sizeof(Key)});
  out.U32(spooled_in_second_);
  out.U64(greatest_id_);
  out.U64(static_cast<std::uint64_t>(last_report_ms_));
  out.U64(static_cast<std::uint64_t>(last_spooled_second_));
}

bool ReportAdmission::Load(ByteReader& in) {
  size_ = in.U8();
  next_ = in.U8();
  bool full = size_ == kRememberedReports;
  if (full ? next_ >= kRememberedReports : size_ > kRememberedReports || next_ != size_) return false;
  std::string_view raw = in.Raw(size_ * sizeof(Key));
  if (!in.ok()) return false;
  std::size_t loaded = std::exchange(size_, 0);
  if (loaded > 0) Reserve(loaded);
  size_ = static_cast<std::uint8_t>(loaded);
  std::copy(raw.begin(), raw.end(), reinterpret_cast<char*>(keys_.get()));
  spooled_in_second_ = in.U32();
  greatest_id_ = in.U64();
  last_report_ms_ = static_cast<std::int64_t>(in.U64());
  last_spooled_second_ = static_cast<std::int64_t>(in.U64());
  return in.ok();
}

}  // namespace fleetward::detect
