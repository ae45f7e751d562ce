#include "collectors/custom/command.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <optional>

#include "fleetward/base/clock.h"
#include "fleetward/model/ip_address.h"
#include "trust.h"

namespace fleetward::agent {
namespace {

constexpr int kNotStarted = 127;

struct Account {
  uid_t uid;
  gid_t gid;
};

Result<std::optional<Account>> AccountFor(const Command& command) {
  bool root = geteuid() == 0;
  std::string user = command.user.empty() && root ? "nobody" : command.user;
  if (user.empty()) return std::optional<Account>();
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return Error(Code::kNotFound, "there is no user " + user);
  }
  if (!root && entry.pw_uid != geteuid()) {
    return Error(Code::kPermissionDenied, "running a command as " + user + " needs an agent that runs as root");
  }
  if (!root) return std::optional<Account>();
  return std::optional<Account>(Account{entry.pw_uid, entry.pw_gid});
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void BecomeCommand(char* const* arguments, const std::optional<Account>& account, int output) {
  setsid();
  int null = open("/dev/null", O_RDWR);
  dup2(null, 0);
  dup2(output, 1);
  dup2(null, 2);
  syscall(SYS_close_range, 3u, ~0u, 0u);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (account && (setgroups(0, nullptr) != 0 || setgid(account->gid) != 0 || setuid(account->uid) != 0)) {
    _exit(kNotStarted);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || chdir("/") != 0) _exit(kNotStarted);
  char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char language[] = "LANG=C.UTF-8";
  char* environment[] = {path, language, nullptr};
  execve(arguments[0], arguments, environment);
  _exit(kNotStarted);
}

std::string_view Trimmed(std::string_view text) {
  std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace

Status CheckCommand(const Command& command) {
  if (command.arguments.empty() || !command.arguments[0].starts_with('/')) {
    return Error(Code::kInvalidArgument, "a command starts with an absolute path");
  }
  FW_TRY(CheckTrusted(command.arguments[0]));
  FW_TRY(AccountFor(command));
  return {};
}

CommandBatch::Ticket CommandBatch::Start(const Command& command) {
  runs_.emplace_back();
  Run& run = runs_.back();
  run.timeout_seconds = command.timeout_seconds;
  run.deadline_ms = SystemClock().MonotonicMillis() + command.timeout_seconds * 1000;
  Status checked = CheckCommand(command);  // at each start: the file may have changed since
  Result<std::optional<Account>> account = AccountFor(command);
  int pipe[2];
  if (!checked.ok()) {
    run.result = std::move(checked);
  } else if (!account.ok()) {
    run.result = account.error();
  } else if (pipe2(pipe, O_CLOEXEC) != 0) {
    run.result = ErrnoError(errno, "pipe");
  } else {
    std::vector<char*> arguments;
    for (const std::string& argument : command.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    run.output.Reset(pipe[0]);
    fcntl(pipe[0], F_SETFL, O_NONBLOCK);
    run.pid = fork();
    if (run.pid == 0) BecomeCommand(arguments.data(), *account, pipe[1]);
    close(pipe[1]);
    if (run.pid < 0) {
      run.result = ErrnoError(errno, "fork");
      run.output.Reset();
    }
  }
  return runs_.size() - 1;
}

void CommandBatch::Kill(Run& run) {
  if (run.pid <= 0) return;
  kill(-run.pid, SIGKILL);  // it leads a session of its own
  kill(run.pid, SIGKILL);
}

void CommandBatch::Finish(Run& run) {
  run.output.Reset();
  if (run.pid <= 0) return;
  if (!run.result.ok()) Kill(run);
  int status = 0;
  // Output is closed but the command may go on: it has until its deadline.
  while (run.result.ok()) {
    pid_t done = waitpid(run.pid, &status, WNOHANG);
    if (done != 0) break;
    if (SystemClock().MonotonicMillis() >= run.deadline_ms) {
      run.result = Error(Code::kTimeout, "took longer than " + std::to_string(run.timeout_seconds) + " s");
      Kill(run);
      break;
    }
    usleep(2000);
  }
  if (!run.result.ok()) {
    while (waitpid(run.pid, &status, 0) < 0 && errno == EINTR) {
    }
  } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    kill(-run.pid, SIGKILL);
    run.result = WIFEXITED(status) ? Error(Code::kIo, "exit status " + std::to_string(WEXITSTATUS(status)))
                                   : Error(Code::kIo, "ended by signal " + std::to_string(WTERMSIG(status)));
  } else {
    kill(-run.pid, SIGKILL);  // what it left in the background
  }
  run.pid = -1;
}

void CommandBatch::WaitForAll() {
  for (;;) {
    std::vector<pollfd> fds;
    std::vector<Run*> waiting;
    std::int64_t now = SystemClock().MonotonicMillis();
    std::int64_t next = now + 60000;
    for (Run& run : runs_) {
      if (!run.output.valid()) continue;
      if (now >= run.deadline_ms) {
        run.result = Error(Code::kTimeout, "took longer than " + std::to_string(run.timeout_seconds) + " s");
        Finish(run);
        continue;
      }
      next = std::min(next, run.deadline_ms);
      fds.push_back({run.output.get(), POLLIN, 0});
      waiting.push_back(&run);
    }
    if (fds.empty()) return;
    poll(fds.data(), fds.size(), static_cast<int>(next - now));
    for (std::size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      char buffer[4096];
      ssize_t got = read(fds[i].fd, buffer, sizeof buffer);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got > 0) waiting[i]->text.append(buffer, static_cast<std::size_t>(got));
      if (waiting[i]->text.size() > kMaxOutput) {
        waiting[i]->result = Error(Code::kInvalidArgument, "more than 64 KiB of output");
      }
      if (got <= 0 || !waiting[i]->result.ok()) Finish(*waiting[i]);
    }
  }
}

Result<std::string> CommandBatch::Output(Ticket ticket) {
  WaitForAll();
  Run& run = runs_[ticket];
  if (!run.result.ok()) return run.result.error();
  return run.text;
}

void CommandBatch::Clear() {
  for (Run& run : runs_) {
    if (run.pid <= 0) continue;
    run.result = Error(Code::kTimeout, "given up");
    Finish(run);
  }
  runs_.clear();
}

void CommandMetric::Prepare(Surroundings& surroundings) { ticket_ = surroundings.commands.Start(command_); }

Status CommandMetric::Measure(Surroundings& surroundings, report::CustomMetrics& out) {
  Result<std::string> output = surroundings.commands.Output(ticket_);
  if (!output.ok()) return Error(output.error()).Prefixed(command_.arguments[0]);
  std::vector<std::string> lines;
  std::vector<double> numbers;
  std::vector<model::IpPrefix> addresses;
  std::string_view rest = *output;
  while (!rest.empty()) {
    std::size_t end = rest.find('\n');
    std::string_view line = Trimmed(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty()) continue;
    if (lines.size() == report::kMaxListValues) return Error(Code::kInvalidArgument, "more than 1,000 lines of output");
    if (type_ == model::CustomMetricType::kNumber || type_ == model::CustomMetricType::kNumberList) {
      double value = 0;
      auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), value);
      if (error != std::errc() || stop != line.data() + line.size() || !std::isfinite(value)) {
        return Error(Code::kInvalidArgument, command_.arguments[0] + " printed something that is no number");
      }
      numbers.push_back(value);
    } else if (type_ == model::CustomMetricType::kIpAddressList) {
      auto address = model::IpAddress::Parse(line);
      if (!address) return Error(Code::kInvalidArgument, command_.arguments[0] + " printed no IP address");
      addresses.push_back({*address, 128});
    }
    lines.emplace_back(line);
  }
  if (type_ == model::CustomMetricType::kStringList) return Strings(std::move(lines), out);
  if (type_ == model::CustomMetricType::kNumber) {
    if (numbers.size() != 1) return Error(Code::kInvalidArgument, command_.arguments[0] + " must print one number");
    return Number(numbers[0], out);
  }
  out.Begin(name(), type_);
  for (double value : numbers) out.AddNumber(value);
  for (const model::IpPrefix& address : addresses) out.AddAddress(address);
  return {};
}

}  // namespace fleetward::agent
