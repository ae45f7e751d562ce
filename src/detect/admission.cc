#include "fleetward/detect/admission.h"

#include <algorithm>

namespace fleetward::detect {
namespace {

std::uint64_t KeyOf(std::uint64_t report_id, std::uint64_t body_hash) {
  std::uint64_t x = (report_id ^ 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 31) ^ body_hash) * 0x94d049bb133111ebULL;
  return x ^ (x >> 29);
}

}  // namespace

Admission ReportAdmission::Decide(const AdmissionOptions& options, Timestamp time, std::uint64_t report_id,
                                  std::uint64_t body_hash, bool spooled) {
  std::uint64_t key = KeyOf(report_id, body_hash);
  if (std::find(keys_.begin(), keys_.end(), key) != keys_.end()) return Admission::kDuplicate;
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
  if (keys_.size() < kRememberedReports) {
    keys_.push_back(key);
  } else {
    keys_[next_] = key;
  }
  next_ = (next_ + 1) % kRememberedReports;
  return Admission::kAccept;
}

void ReportAdmission::Save(ByteWriter& out) const {
  out.U8(static_cast<std::uint8_t>(keys_.size()));
  out.U8(static_cast<std::uint8_t>(next_));
  for (std::uint64_t key : keys_) out.U64(key);
  out.U32(spooled_in_second_);
  out.U64(static_cast<std::uint64_t>(last_report_ms_));
  out.U64(static_cast<std::uint64_t>(last_spooled_second_));
}

bool ReportAdmission::Load(ByteReader& in) {
  std::size_t size = in.U8();
  next_ = in.U8();
  if (size > kRememberedReports || next_ >= kRememberedReports) return false;
  if (size < kRememberedReports && next_ != size) return false;
  keys_.assign(size, 0);
  for (std::uint64_t& key : keys_) key = in.U64();
  spooled_in_second_ = in.U32();
  last_report_ms_ = static_cast<std::int64_t>(in.U64());
  last_spooled_second_ = static_cast<std::int64_t>(in.U64());
  return in.ok();
}

}  // namespace fleetward::detect
