#include "collectors/procfs/process_table.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "collectors/procfs/text_file.h"

namespace fleetward::agent {
namespace {

constexpr std::size_t kCommBytes = 15;
constexpr std::size_t kMaxProcesses = 1 << 20;

bool ParseNumber(std::string_view text, std::int32_t& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

}  // namespace

bool ParseStat(std::string_view text, Process& process) {
  std::size_t open = text.find('(');
  std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || open < 2 || close == std::string_view::npos || close < open) return false;
  if (!ParseNumber(text.substr(0, open - 1), process.pid)) return false;
  std::string_view rest = text.substr(close + 1);  // " S 1 …"
  if (rest.size() < 4 || rest[0] != ' ' || rest[2] != ' ') return false;
  char state = rest[1];
  if (state == 'Z' || state == 'X' || state == 'x') return false;
  rest.remove_prefix(3);
  if (!ParseNumber(rest.substr(0, rest.find(' ')), process.parent)) return false;
  process.name.assign(text.substr(open + 1, close - open - 1));
  return true;
}

Result<const std::vector<Process>*> ProcessTable::All() {
  if (read_) return &processes_;
  std::unique_ptr<DIR, CloseFolder> folder(opendir(folder_.c_str()));
  if (!folder) return ErrnoError(errno, "reading " + folder_);
  std::size_t count = 0;
  while (dirent* entry = readdir(folder.get())) {
    std::int32_t pid = 0;
    if (!ParseNumber(entry->d_name, pid) || count == kMaxProcesses) continue;
    path_.assign(folder_).append("/").append(entry->d_name).append("/stat");
    if (processes_.size() == count) processes_.emplace_back();
    if (ParseStat(ReadSmall(path_, buffer_), processes_[count])) ++count;
  }
  processes_.resize(count);
  std::sort(processes_.begin(), processes_.end(), [](auto& a, auto& b) { return a.pid < b.pid; });
  read_ = true;
  return &processes_;
}

bool ProcessTable::IsCalled(const Process& process, std::string_view name) {
  if (process.name == name.substr(0, kCommBytes) && name.size() <= kCommBytes) return true;
  path_.assign(folder_).append("/").append(std::to_string(process.pid)).append("/cmdline");
  std::string_view command = ReadSmall(path_, buffer_);
  command = command.substr(0, command.find('\0'));
  command = command.substr(command.rfind('/') + 1);       // npos + 1 is 0
  if (command.starts_with('-')) command.remove_prefix(1);  // a login shell
  return !command.empty() && command == name;
}

Result<std::int64_t> CountDescendants(ProcessTable& table, std::string_view name) {
  FW_ASSIGN(const std::vector<Process>* all, table.All());
  enum : char { kUnknown, kBelow, kNotBelow };
  std::vector<char> called(all->size()), below(all->size(), kUnknown);
  for (std::size_t i = 0; i < all->size(); ++i) called[i] = table.IsCalled((*all)[i], name);

  auto index_of = [&](std::int32_t pid) -> std::size_t {
    auto at = std::lower_bound(all->begin(), all->end(), pid, [](const Process& p, std::int32_t v) { return p.pid < v; });
    return at != all->end() && at->pid == pid ? static_cast<std::size_t>(at - all->begin()) : all->size();
  };
  std::int64_t count = 0;
  std::vector<std::size_t> path;
  for (std::size_t i = 0; i < all->size(); ++i) {
    // Climb until an ancestor's answer is known; every process is settled once. The bound stops a loop that a table
    // read while processes come and go could show.
    path.clear();
    std::size_t at = i;
    char answer = kNotBelow;
    while (at < all->size() && path.size() <= all->size()) {
      if (below[at] != kUnknown) {
        answer = below[at];
        break;
      }
      path.push_back(at);
      std::size_t parent = index_of((*all)[at].parent);
      if (parent < all->size() && called[parent]) {
        answer = kBelow;
        break;
      }
      at = parent;
    }
    for (std::size_t step : path) below[step] = answer;
    if (below[i] == kBelow) ++count;
  }
  return count;
}

}  // namespace fleetward::agent
