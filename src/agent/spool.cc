#include "spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <memory>

#include "fleetward/base/encoding.h"
#include "trust.h"

namespace fleetward::agent {
namespace {

constexpr std::string_view kMagic = "FWS1";
constexpr std::size_t kMaxFile = report::kMaxPayloadBytes + 64;

// CRC-32 of ISO-HDLC (polynomial 0xEDB88320), a bit at a time: files are small and rare.
std::uint32_t Crc32(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320 & (0u - (crc & 1)));
  }
  return ~crc;
}

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

// "00000000000000000042-1700000300.report"
bool ParseName(const char* name, std::uint64_t& sequence, std::uint64_t& report_id) {
  int used = 0;
  return sscanf(name, "%20" SCNu64 "-%20" SCNu64 ".report%n", &sequence, &report_id, &used) == 2 && used > 0 &&
         name[used] == 0;
}

}  // namespace

std::string EncodeSpoolFile(const SpooledReport& report) {
  std::string out;
  ByteWriter writer(out);
  writer.Raw(kMagic);
  writer.U8(report.format == report::Format::kCbor ? 1 : 0);
  writer.U64(report.report_id);
  writer.Bytes(report.payload);
  writer.U32(Crc32(out));
  return out;
}

Result<SpooledReport> DecodeSpoolFile(std::string_view bytes) {
  Error corrupt(Code::kCorrupt, "a spooled report is damaged");
  if (bytes.size() < 8 || bytes.size() > kMaxFile) return corrupt;
  std::string_view body = bytes.substr(0, bytes.size() - 4);
  if (ByteReader(bytes.substr(body.size())).U32() != Crc32(body)) return corrupt;
  ByteReader reader(body);
  SpooledReport report;
  bool known = reader.Raw(kMagic.size()) == kMagic;
  std::uint8_t format = reader.U8();
  report.report_id = reader.U64();
  report.payload = reader.Bytes();
  if (!known || format > 1 || !reader.ok() || !reader.AtEnd()) return corrupt;
  report.format = format == 1 ? report::Format::kCbor : report::Format::kJson;
  return report;
}

Result<Spool> Spool::Open(const std::string& folder, std::uint64_t max_bytes) {
  Spool spool(folder, max_bytes);
  FW_TRY(MakeDirs(folder, 0700));
  FW_TRY(CheckTrusted(folder));
  spool.lock_.Reset(open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!spool.lock_.valid()) return ErrnoError(errno, "opening " + folder + "/lock");
  if (flock(spool.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error(Code::kConflict, "another agent uses the spool " + folder);
  }
  FW_TRY(spool.Load());
  return spool;
}

Status Spool::Load() {
  std::unique_ptr<DIR, CloseFolder> folder(opendir(folder_.c_str()));
  if (!folder) return ErrnoError(errno, "reading " + folder_);
  while (dirent* file = readdir(folder.get())) {
    std::string name = file->d_name;
    if (name == "." || name == ".." || name == "lock") continue;
    std::string path = folder_ + "/" + name;
    Entry entry{};
    struct stat info {};
    if (!ParseName(name.c_str(), entry.sequence, entry.report_id) || lstat(path.c_str(), &info) != 0 ||
        !S_ISREG(info.st_mode)) {
      unlink(path.c_str());  // what a crash left half written
      ++corrupt_;
      continue;
    }
    entry.bytes = static_cast<std::uint64_t>(info.st_size);
    entries_.push_back(entry);
    bytes_ += entry.bytes;
    last_report_id_ = std::max(last_report_id_, entry.report_id);
  }
  std::sort(entries_.begin(), entries_.end(), [](auto& a, auto& b) { return a.sequence < b.sequence; });
  if (!entries_.empty()) next_sequence_ = entries_.back().sequence + 1;
  return {};
}

std::string Spool::PathOf(const Entry& entry) const {
  char name[64];
  snprintf(name, sizeof name, "/%020" PRIu64 "-%" PRIu64 ".report", entry.sequence, entry.report_id);
  return folder_ + name;
}

void Spool::Forget(std::size_t index) {
  unlink(PathOf(entries_[index]).c_str());
  bytes_ -= entries_[index].bytes;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index));
}

Status Spool::Add(const SpooledReport& report) {
  std::string file = EncodeSpoolFile(report);
  if (file.size() > max_bytes_) return Error(Code::kInvalidArgument, "the report is larger than the whole spool");
  while (bytes_ + file.size() > max_bytes_) {
    Forget(0);
    ++dropped_;
  }
  Entry entry{next_sequence_++, report.report_id, file.size()};
  FW_TRY(WriteFileAtomic(PathOf(entry), file, 0600));
  entries_.push_back(entry);
  bytes_ += entry.bytes;
  last_report_id_ = std::max(last_report_id_, entry.report_id);
  return {};
}

std::optional<SpooledReport> Spool::Oldest() {
  while (!entries_.empty()) {
    Result<std::string> bytes = ReadFile(PathOf(entries_.front()), kMaxFile);
    if (bytes.ok()) {
      Result<SpooledReport> report = DecodeSpoolFile(*bytes);
      if (report.ok() && report->report_id == entries_.front().report_id) return std::move(*report);
    }
    Forget(0);
    ++corrupt_;
  }
  return std::nullopt;
}

void Spool::Remove(std::uint64_t report_id) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].report_id == report_id) return Forget(i);
  }
}

}  // namespace fleetward::agent
