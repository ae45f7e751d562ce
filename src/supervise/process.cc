#include "process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include <dirent.h>

namespace fleetward::supervise {
namespace {

constexpr std::size_t kMarkBytes = 64;

bool KeepBindRight() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  unsigned bit = 1u << CAP_NET_BIND_SERVICE;
  data[0].effective = data[0].permitted = data[0].inheritable = bit;
  return ::syscall(SYS_capset, &header, data) == 0 &&
         ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0;
}

bool Become(const Identity& identity, bool bind_low_ports) {
  if (bind_low_ports && ::prctl(PR_SET_KEEPCAPS, 1) != 0) return false;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(identity.gid, identity.gid, identity.gid) != 0 ||
      ::setresuid(identity.uid, identity.uid, identity.uid) != 0) {
    return false;
  }
  return !bind_low_ports || KeepBindRight();
}

/// In the child, between fork and exec; on failure errno goes through the pipe.
[[noreturn]] void RunChild(const Launch& launch, pid_t parent, int go_fd, int report_fd, char* const* argv) {
  char go = 0;
  if (::read(go_fd, &go, 1) != 1) ::_exit(1);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setpgid(0, 0);
  bool ok = true;
  if (launch.stdout_fd >= 0) {
    ok = ::dup2(launch.stdout_fd, STDOUT_FILENO) >= 0 && ::dup2(launch.stdout_fd, STDERR_FILENO) >= 0;
  }
  if (ok && launch.identity) ok = Become(*launch.identity, launch.bind_low_ports);
  // After the change of user, which clears it; a parent that died meanwhile is noticed by hand.
  if (ok && launch.death_signal != 0) ok = ::prctl(PR_SET_PDEATHSIG, launch.death_signal) == 0;
  if (ok && ::getppid() != parent) ::_exit(1);
  for (const auto& [name, value] : launch.environment) ok = ok && ::setenv(name.c_str(), value.c_str(), 1) == 0;
  if (ok) ::execvp(launch.command[0].c_str(), argv);
  int error = errno;
  (void)!::write(report_fd, &error, sizeof error);
  ::_exit(127);
}

std::string ReadSmall(const std::string& path) {
  std::string text;
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return text;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::read(file.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

/// Inodes of sockets that listen on `port`.
std::set<std::string> ListeningInodes(std::uint16_t port) {
  std::set<std::string> inodes;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::string text = ReadSmall(table);
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
      unsigned local_port = 0, state = 0;
      unsigned long inode = 0;
      int matched = std::sscanf(text.c_str() + at + 1, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*d %*d %lu",
                                &local_port, &state, &inode);
      if (matched == 3 && local_port == port && state == 0x0a) inodes.insert(std::to_string(inode));
    }
  }
  return inodes;
}

}  // namespace

Result<pid_t> StartProcess(const Launch& launch, const std::function<Status(pid_t)>& before_exec) {
  std::vector<char*> argv;
  for (const std::string& word : launch.command) argv.push_back(const_cast<char*>(word.c_str()));
  if (!launch.shown_as.empty()) argv[0] = const_cast<char*>(launch.shown_as.c_str());
  argv.push_back(nullptr);
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return ErrnoError(errno, "making a pipe");
  Fd reader(pipe_fds[0]);
  Fd writer(pipe_fds[1]);
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return ErrnoError(errno, "making a pipe");
  Fd go_reader(pipe_fds[0]);
  Fd go_writer(pipe_fds[1]);
  pid_t parent = ::getpid();
  pid_t pid = ::fork();
  if (pid < 0) return ErrnoError(errno, "starting " + launch.command[0]);
  if (pid == 0) {
    go_writer.Reset();  // else the child itself would keep the pipe open
    RunChild(launch, parent, go_reader.get(), writer.get(), argv.data());
  }
  writer.Reset();
  Status before = before_exec ? before_exec(pid) : Status();
  if (!before.ok()) {
    go_writer.Reset();
    ::waitpid(pid, nullptr, 0);
    return std::move(before).error();
  }
  (void)!::write(go_writer.get(), "g", 1);
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(reader.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof error)) {
    ::waitpid(pid, nullptr, 0);
    return ErrnoError(error, "starting " + launch.command[0]);
  }
  return pid;
}

std::optional<ProcessMark> MarkOf(pid_t pid) {
  std::string stat = ReadSmall("/proc/" + std::to_string(pid) + "/stat");
  std::size_t close = stat.rfind(')');  // the name before it may hold anything
  if (close == std::string::npos || close + 2 >= stat.size() || stat[close + 2] == 'Z') return std::nullopt;
  ProcessMark mark;
  mark.pid = pid;
  unsigned long long start = 0;
  int matched = std::sscanf(stat.c_str() + close + 2,
                            "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &start);
  if (matched != 1) return std::nullopt;
  mark.start_time = start;
  return mark;
}

std::optional<ProcessMark> LivingMark(const std::string& file) {
  std::string text = ReadSmall(file);
  int pid = 0;
  unsigned long long start = 0;
  if (std::sscanf(text.c_str(), "%d %llu", &pid, &start) != 2 || pid <= 1) return std::nullopt;
  auto mark = MarkOf(pid);
  if (!mark || mark->start_time != start) return std::nullopt;
  return mark;
}

Status WriteMark(const std::string& file, const ProcessMark& mark) {
  std::string text = std::to_string(mark.pid) + " " + std::to_string(mark.start_time);
  text.resize(kMarkBytes - 1, ' ');
  text += '\n';
  Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError(errno, "opening " + file);
  ssize_t put = ::pwrite(fd.get(), text.data(), text.size(), 0);
  if (put == static_cast<ssize_t>(text.size())) return {};
  return ErrnoError(put < 0 ? errno : ENOSPC, "writing " + file);
}

void EndProcess(const ProcessMark& mark, int grace_ms) {
  auto alive = [&mark] {
    auto now = MarkOf(mark.pid);
    return now && now->start_time == mark.start_time;
  };
  if (!alive()) return;
  ::kill(mark.pid, SIGTERM);
  for (int waited = 0; waited < grace_ms + 2000 && alive(); waited += 10) {
    if (waited == grace_ms / 10 * 10) ::kill(mark.pid, SIGKILL);
    ::usleep(10000);
  }
}

std::string PortOwner(std::uint16_t port) {
  std::set<std::string> inodes = ListeningInodes(port);
  DIR* proc = inodes.empty() ? nullptr : ::opendir("/proc");
  if (proc == nullptr) return {};
  std::string owner;
  while (dirent* entry = ::readdir(proc)) {
    std::string pid = entry->d_name;
    if (!owner.empty() || pid.find_first_not_of("0123456789") != std::string::npos) continue;
    DIR* fds = ::opendir(("/proc/" + pid + "/fd").c_str());
    if (fds == nullptr) continue;
    while (dirent* fd = ::readdir(fds)) {
      char target[64];
      ssize_t size = ::readlinkat(::dirfd(fds), fd->d_name, target, sizeof target);
      std::string_view link(target, size > 0 ? static_cast<std::size_t>(size) : 0);
      if (!link.starts_with("socket:[") || !link.ends_with("]")) continue;
      if (!inodes.contains(std::string(link.substr(8, link.size() - 9)))) continue;
      std::string name = ReadSmall("/proc/" + pid + "/comm");
      while (!name.empty() && name.back() == '\n') name.pop_back();
      owner = name + " (pid " + pid + ")";
      break;
    }
    ::closedir(fds);
  }
  ::closedir(proc);
  return owner;
}

Status CheckPortFree(const std::string& address, std::uint16_t port, const std::string& setting) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_in);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (address.empty() || ::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof(sockaddr_in6);
  } else {
    return {};  // a name: the broker resolves it
  }
  Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (storage.ss_family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0 || errno != EADDRINUSE) return {};
  std::string owner = PortOwner(port);
  return Error(Code::kUnavailable, "port " + std::to_string(port) + " is in use" +
                                       (owner.empty() ? std::string() : " by " + owner) +
                                       "; end it or choose another one with --set " + setting + "=" +
                                       (address.empty() ? "0.0.0.0" : address) + ":PORT");
}

std::optional<Identity> ResolveIdentity(const std::string& user, const std::vector<std::string>& paths,
                                        std::string& why) {
  why.clear();
  if (::geteuid() != 0 || user.empty()) return std::nullopt;
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) {
    why = "there is no user " + user;
    return std::nullopt;
  }
  Identity identity{entry->pw_uid, entry->pw_gid};
  pid_t pid = ::fork();
  if (pid == 0) {
    if (!Become(identity, false)) ::_exit(255);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (::access(paths[i].c_str(), F_OK) != 0) ::_exit(static_cast<int>(std::min<std::size_t>(i + 1, 254)));
    }
    ::_exit(0);
  }
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 255) {
    why = "cannot become user " + user;
    return std::nullopt;
  }
  if (WEXITSTATUS(status) != 0) {
    why = "user " + user + " cannot reach " + paths[static_cast<std::size_t>(WEXITSTATUS(status)) - 1];
    return std::nullopt;
  }
  return identity;
}

}  // namespace fleetward::supervise
