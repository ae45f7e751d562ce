#include "collectors/custom/machine_metrics.h"

#include <sys/statvfs.h>
#include <utmp.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "collectors/procfs/process_table.h"

namespace fleetward::agent {
namespace {

// Splits off the next run of non-blanks.
std::string_view NextWord(std::string_view& text) {
  std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return text = {};
  text.remove_prefix(begin);
  std::size_t end = text.find_first_of(" \t\n");
  std::string_view word = text.substr(0, end);
  text.remove_prefix(word.size());
  return word;
}

template <class Value>
bool Parse(std::string_view word, Value& value) {
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && end == word.data() + word.size() && !word.empty();
}

// "MemTotal:       24628060 kB"
std::optional<std::uint64_t> MeminfoBytes(std::string_view text, std::string_view key) {
  std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = text.substr(at + key.size());
  std::uint64_t kilobytes = 0;
  if (!Parse(NextWord(rest), kilobytes)) return std::nullopt;
  return kilobytes * 1024;
}

Error Corrupt(const TextFile& file) { return Error(Code::kCorrupt, file.path() + " makes no sense"); }

}  // namespace

Status ChildProcessesMetric::Measure(Surroundings& surroundings, report::CustomMetrics& out) {
  FW_ASSIGN(std::int64_t count, CountDescendants(surroundings.processes, process_name_));
  return Number(static_cast<double>(count), out);
}

Status CpuUsageMetric::Measure(Surroundings&, report::CustomMetrics& out) {
  FW_ASSIGN(std::string_view text, stat_.Read());
  std::string_view line = text.substr(0, text.find('\n'));
  if (NextWord(line) != "cpu") return Corrupt(stat_);
  // user nice system idle iowait irq softirq steal; guest time is in user time already.
  std::uint64_t ticks[8] = {};
  for (std::uint64_t& value : ticks) {
    std::string_view word = NextWord(line);
    if (word.empty()) break;
    if (!Parse(word, value)) return Corrupt(stat_);
  }
  std::uint64_t total = 0;
  for (std::uint64_t value : ticks) total += value;
  std::uint64_t busy = total - ticks[3] - ticks[4];
  auto before = std::exchange(previous_, std::pair(busy, total));
  // iowait may go back by a tick (proc(5)): no value then, rather than a wrong one.
  if (!before || total <= before->second || busy < before->first) return {};
  double percent = 100.0 * static_cast<double>(busy - before->first) / static_cast<double>(total - before->second);
  if (percent > 100) return {};
  return Number(static_cast<double>(static_cast<std::int64_t>(percent * 10 + 0.5)) / 10, out);
}

Status MemoryMetric::Measure(Surroundings&, report::CustomMetrics& out) {
  FW_ASSIGN(std::string_view text, meminfo_.Read());
  auto total = MeminfoBytes(text, "MemTotal:");
  auto available = MeminfoBytes(text, "MemAvailable:");
  if (!total || !available || *total == 0 || *available > *total) return Corrupt(meminfo_);
  double used = static_cast<double>(*total - *available);
  switch (figure_) {
    case MemoryFigure::kUsedBytes: return Number(used, out);
    case MemoryFigure::kAvailableBytes: return Number(static_cast<double>(*available), out);
    case MemoryFigure::kUsedPercent: break;
  }
  double percent = 100.0 * used / static_cast<double>(*total);
  return Number(static_cast<double>(static_cast<std::int64_t>(percent * 10 + 0.5)) / 10, out);
}

Status DiskMetric::Measure(Surroundings&, report::CustomMetrics& out) {
  struct statvfs info {};
  if (statvfs(path_.c_str(), &info) != 0) return ErrnoError(errno, "statvfs " + path_);
  double used = static_cast<double>(info.f_blocks - info.f_bfree);
  double usable = used + static_cast<double>(info.f_bavail);
  if (usable <= 0) return Error(Code::kIo, path_ + " has no blocks");
  return Number(static_cast<double>(static_cast<std::int64_t>(1000.0 * used / usable + 0.5)) / 10, out);
}

Status LoadMetric::Measure(Surroundings&, report::CustomMetrics& out) {
  FW_ASSIGN(std::string_view text, loadavg_.Read());
  double value = 0;
  for (int i = 0; i <= column_; ++i) {
    if (!Parse(NextWord(text), value)) return Corrupt(loadavg_);
  }
  return Number(value, out);
}

Status UsersMetric::Measure(Surroundings&, report::CustomMetrics& out) {
  FW_ASSIGN(std::string_view bytes, utmp_.Read());
  std::vector<std::string> users;
  for (; bytes.size() >= sizeof(struct utmp); bytes.remove_prefix(sizeof(struct utmp))) {
    struct utmp record;
    std::memcpy(&record, bytes.data(), sizeof record);
    if (record.ut_type != USER_PROCESS || record.ut_user[0] == 0) continue;
    users.emplace_back(record.ut_user, strnlen(record.ut_user, sizeof record.ut_user));
  }
  if (names_) return Strings(std::move(users), out);
  return Number(static_cast<double>(users.size()), out);
}

Status ProcessNamesMetric::Measure(Surroundings& surroundings, report::CustomMetrics& out) {
  FW_ASSIGN(const std::vector<Process>* all, surroundings.processes.All());
  // In a container pid 2 is an ordinary process; only the real kthreadd has kernel threads below it.
  std::int32_t kthreadd = -1;
  for (const Process& process : *all) {
    if (process.pid == 2 && process.parent == 0 && process.name == "kthreadd") kthreadd = process.pid;
  }
  std::vector<std::string> names;
  for (const Process& process : *all) {
    if (process.pid != kthreadd && process.parent != kthreadd) names.push_back(process.name);
  }
  return Strings(std::move(names), out);
}

}  // namespace fleetward::agent
