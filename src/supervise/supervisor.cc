#include "fleetward/supervise/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "fleetward/base/clock.h"
#include "fleetward/base/encoding.h"
#include "fleetward/base/id128.h"
#include "fleetward/base/log.h"
#include "process.h"
#include "reason_relay.h"

namespace fleetward::supervise {
namespace {

constexpr std::int64_t kMinBackoffMs = 200;
constexpr std::int64_t kMaxBackoffMs = 10000;
constexpr std::int64_t kSteadyMs = 30000;       // a child that ran so long starts again at once
constexpr std::int64_t kBrokerGraceMs = 1500;   // of the 5 s that a stop may take
constexpr std::int64_t kServerGraceMs = 2500;
// Every packet and TLS record of a device passes the allocator several times, in sizes that glibc's thread cache does
// not take (docs/performance.md). Where it is missing the loader says so and the broker runs without.
constexpr const char* kBrokerAllocator = "libtcmalloc_minimal.so.4";

// The plugin takes over calls of the broker's loop (src/plugin/broker_calls.h): so it is there before the broker looks
// them up.
std::string BrokerPreload(const std::string& plugin) {
  const char* others = std::getenv("LD_PRELOAD");
  std::string own = kBrokerAllocator + (":" + plugin);
  return others == nullptr || *others == '\0' ? own : own + ":" + others;
}

struct Child {
  std::string name;
  std::string pid_file;   // for people and scripts: the number alone
  std::string mark_file;  // for the next supervisor: pid and start time
  pid_t pid = 0;
  std::int64_t started_ms = 0;
  std::int64_t next_start_ms = 0;
  std::int64_t backoff_ms = 0;
  bool pid_file_due = false;  // could not be written: the disk was full

  void Forget() {
    pid = 0;
    pid_file_due = false;
    ::unlink(pid_file.c_str());
    if (Status cleared = WriteMark(mark_file, {}); !cleared.ok()) {
      log::Warning("mark_unwritten", {{"error", cleared.error().ToString()}});
    }
  }
  void WritePidFile() {
    Status written = WriteFileAtomic(pid_file, std::to_string(pid) + "\n");
    if (!written.ok() && !pid_file_due) log::Warning("pid_file_unwritten", {{"error", written.error().ToString()}});
    pid_file_due = !written.ok();
  }
};

void RaiseOpenFiles(std::uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlimit raised{std::max<rlim_t>(limit.rlim_cur, wanted), std::max<rlim_t>(limit.rlim_max, wanted)};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  raised = {std::min<rlim_t>(wanted, limit.rlim_max), limit.rlim_max};
  (void)::setrlimit(RLIMIT_NOFILE, &raised);
  if (raised.rlim_cur < wanted) {
    log::Warning("open_files_low", {{"limit", raised.rlim_cur}, {"wanted", wanted},
                                    {"meaning", "about so many devices can be connected"}});
  }
}

Status PrivateDir(const std::string& path) {
  FW_TRY(MakeDirs(path, 0700));
  if (::chmod(path.c_str(), 0700) != 0) return ErrnoError(errno, "setting the mode of " + path);
  return {};
}

/// Gives what root owns below `dir`, links themselves included, to the children's user.
Status GiveTo(const Identity& identity, const std::string& dir) {
  std::error_code error;
  auto give = [&identity](const std::string& path) -> Status {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || status.st_uid != 0) return {};
    if (::lchown(path.c_str(), identity.uid, identity.gid) == 0 || errno == ENOENT) return {};
    return ErrnoError(errno, "changing the owner of " + path);
  };
  FW_TRY(give(dir));
  std::filesystem::recursive_directory_iterator entries(dir, error);
  for (; !error && entries != std::filesystem::recursive_directory_iterator(); entries.increment(error)) {
    FW_TRY(give(entries->path().string()));
  }
  if (error) return ErrnoError(error.value(), "reading " + dir);
  return {};
}

}  // namespace

RunPaths::RunPaths(const std::string& data_dir)
    : run_dir(data_dir + "/run"),
      ingest_socket(run_dir + "/ingest.sock"),
      control_socket(run_dir + "/ctl.sock"),
      control_secret(run_dir + "/ctl.secret"),
      reason_socket(run_dir + "/reasons.sock"),
      snapshot(run_dir + "/policy.snapshot"),
      broker_config(run_dir + "/mosquitto.conf"),
      broker_tls(run_dir + "/openssl.cnf"),
      broker_state(data_dir + "/broker") {}

Result<Fd> LockFolder(const std::string& data_dir) {
  FW_TRY(MakeDirs(data_dir, 0755));
  std::string path = data_dir + "/supervisor.pid";
  for (;;) {
    Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!lock.valid()) return ErrnoError(errno, "opening " + path);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      auto text = ReadFile(path, 64);
      std::string pid = text.ok() ? text->substr(0, text->find('\n')) : "unknown";
      return Error(Code::kConflict, data_dir + " is in use by another fleetward (pid " + pid + ")");
    }
    // One that ended meanwhile may have removed the file that was locked here.
    struct stat opened {}, present {};
    if (::fstat(lock.get(), &opened) != 0) return ErrnoError(errno, "looking at " + path);
    if (::stat(path.c_str(), &present) != 0 || opened.st_ino != present.st_ino) continue;
    std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0) {
      return ErrnoError(errno, "writing " + path);
    }
    return lock;
  }
}

struct Supervisor::State {
  explicit State(SupervisorOptions given) : options(std::move(given)), paths(options.data_dir) {}

  void EndLeftovers();
  Status WriteFiles();
  Status Start(Child& child, const Launch& launch);
  Status StartBroker();
  Status StartServer();
  Status StartDue();
  void Reap();
  void Exited(Child& child, int status);
  void DrainBroker();
  void TakeLine(std::string_view line);
  void SetDamagedStateAside();
  void Stop();
  void WaitGone(Child& child, std::int64_t deadline_ms);
  void Killed(Child& child);

  SupervisorOptions options;
  RunPaths paths;
  SystemClock clock;
  Fd signals;
  bool stopping = false;
  Fd broker_out;
  std::optional<Identity> identity;
  Child broker;
  Child server;
  std::unique_ptr<ReasonRelay> relay;
  bool broker_state_damaged = false;
};

/// Never two brokers (D44): what a killed supervisor started is found by pid and start time.
void Supervisor::State::EndLeftovers() {
  for (Child* child : {&broker, &server}) {
    if (auto mark = LivingMark(child->mark_file)) {
      log::Warning("ending_leftover", {{"process", child->name}, {"pid", mark->pid}});
      EndProcess(*mark, 3000);
    }
    ::unlink(child->pid_file.c_str());
  }
}

Status Supervisor::State::WriteFiles() {
  FW_TRY(PrivateDir(paths.run_dir));
  FW_TRY(PrivateDir(paths.broker_state));
  ::unlink(paths.control_socket.c_str());
  FW_TRY(WriteFileAtomic(paths.control_secret, Id128::Random().Hex() + Id128::Random().Hex() + "\n", 0600));
  BrokerConfig& config = options.broker;
  config.control_socket = paths.control_socket;
  config.state_folder = paths.broker_state;
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"snapshot_file", paths.snapshot},
                                    {"ingest_socket", paths.ingest_socket},
                                    {"reason_socket", paths.reason_socket},
                                    {"trust_folder", config.ca_folder},
                                    {"control_socket", paths.control_socket},
                                    {"control_secret_file", paths.control_secret},
                                    {"session_expiry_seconds", std::to_string(config.session_expiry_seconds)}}) {
    config.plugin_options.emplace_back(name, value);
  }
  FW_ASSIGN(std::string text, RenderBrokerConfig(config));
  if (!identity) text += "user root\n";  // else the broker started as root would become its own package's user
  FW_TRY(WriteFileAtomic(paths.broker_config, text, 0600));
  FW_TRY(WriteFileAtomic(paths.broker_tls, kBrokerTls, 0600));
  if (!identity) return {};
  return GiveTo(*identity, options.data_dir);
}

Status Supervisor::State::Start(Child& child, const Launch& launch) {
  // The mark is there before the program runs: whenever this process is killed, the next one finds the child.
  auto started = StartProcess(launch, [&child](pid_t pid) -> Status {
    auto mark = MarkOf(pid);
    return mark ? WriteMark(child.mark_file, *mark) : Status();
  });
  if (!started.ok()) {
    if (child.started_ms == 0) return std::move(started).error();  // the machine lacks something: say so and end
    log::Error("cannot_start", {{"process", child.name}, {"error", started.error().ToString()}});
    child.backoff_ms = std::clamp(child.backoff_ms * 2, kMinBackoffMs, kMaxBackoffMs);
    child.next_start_ms = clock.MonotonicMillis() + child.backoff_ms;
    return {};
  }
  child.pid = *started;
  child.started_ms = clock.MonotonicMillis();
  child.WritePidFile();
  log::Info("started", {{"process", child.name}, {"pid", child.pid}});
  return {};
}

void Supervisor::State::TakeLine(std::string_view line) {
  if (line.find("Couldn't open database") != std::string_view::npos) broker_state_damaged = true;
  if (options.broker_line) options.broker_line(line);
}

/// A broker that saves its state on a full disk leaves half a file, with which it would never start again.
void Supervisor::State::SetDamagedStateAside() {
  if (!std::exchange(broker_state_damaged, false)) return;
  std::string file = paths.broker_state + "/mosquitto.db";
  if (::rename(file.c_str(), (file + ".damaged").c_str()) != 0) return;
  log::Error("broker_state_damaged", {{"kept_as", file + ".damaged"},
                                      {"meaning", "saved sessions and retained messages are lost"}});
}

Status Supervisor::State::StartBroker() {
  SetDamagedStateAside();
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return ErrnoError(errno, "making a pipe");
  broker_out = Fd(fds[0]);
  Fd writer(fds[1]);  // non-blocking on both ends: a full pipe must never stop the broker (D18)
  Launch launch;
  launch.command = {options.broker_program, "-c", paths.broker_config};
  launch.identity = identity;
  launch.death_signal = SIGTERM;
  launch.stdout_fd = writer.get();
  launch.environment = {{"OPENSSL_CONF", paths.broker_tls}, {"LD_PRELOAD", BrokerPreload(options.broker.plugin_file)}};
  launch.bind_low_ports = std::any_of(options.broker.listeners.begin(), options.broker.listeners.end(),
                                      [](const MqttListener& listener) { return listener.port < 1024; });
  return Start(broker, launch);
}

Status Supervisor::State::StartServer() {
  Launch launch;
  launch.command = options.server_command;
  launch.shown_as = "fleetward";  // the command may be /proc/self/exe
  launch.identity = identity;
  launch.death_signal = SIGTERM;
  launch.bind_low_ports = std::any_of(options.server_ports.begin(), options.server_ports.end(),
                                      [](const PortClaim& claim) { return claim.port < 1024; });
  return Start(server, launch);
}

Status Supervisor::State::StartDue() {
  std::int64_t now = clock.MonotonicMillis();
  if (server.pid == 0 && !options.server_command.empty() && now >= server.next_start_ms) FW_TRY(StartServer());
  if (broker.pid == 0 && now >= broker.next_start_ms) FW_TRY(StartBroker());
  for (Child* child : {&broker, &server}) {
    if (child->pid_file_due && child->pid != 0) child->WritePidFile();
  }
  return {};
}

void Supervisor::State::Exited(Child& child, int status) {
  std::int64_t now = clock.MonotonicMillis();
  bool steady = now - child.started_ms >= kSteadyMs;
  child.backoff_ms = steady || child.backoff_ms == 0 ? kMinBackoffMs : std::min(child.backoff_ms * 2, kMaxBackoffMs);
  child.next_start_ms = now + child.backoff_ms;
  child.Forget();
  int exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (stopping) {
    log::Info("ended", {{"process", child.name}, {"exit", exit}, {"signal", signal}});
  } else {
    log::Warning("ended", {{"process", child.name}, {"exit", exit}, {"signal", signal},
                           {"restart_ms", child.backoff_ms}});
  }
}

void Supervisor::State::Reap() {
  int status = 0;
  while (pid_t pid = ::waitpid(-1, &status, WNOHANG)) {
    if (pid < 0) return;
    if (pid == broker.pid) {
      DrainBroker();
      Exited(broker, status);
    } else if (pid == server.pid) {
      Exited(server, status);
    }
  }
}

void Supervisor::State::DrainBroker() {
  char buffer[65536];
  while (broker_out.valid()) {
    ssize_t got = ::read(broker_out.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) broker_out.Reset();
    if (got <= 0) return;
    relay->Take(std::string_view(buffer, static_cast<std::size_t>(got)));
  }
}

void Supervisor::State::WaitGone(Child& child, std::int64_t deadline_ms) {
  while (child.pid != 0 && clock.MonotonicMillis() < deadline_ms) {
    Reap();
    DrainBroker();
    if (child.pid != 0) ::usleep(5000);
  }
}

void Supervisor::State::Killed(Child& child) {
  if (child.pid == 0) return;
  log::Warning("killing", {{"process", child.name}, {"pid", child.pid}});
  ::kill(child.pid, SIGKILL);
  WaitGone(child, clock.MonotonicMillis() + 500);
}

/// The broker first: its plugin's last frames still find the server.
void Supervisor::State::Stop() {
  stopping = true;
  if (broker.pid != 0) ::kill(broker.pid, SIGTERM);
  WaitGone(broker, clock.MonotonicMillis() + kBrokerGraceMs);
  if (server.pid != 0) ::kill(server.pid, SIGTERM);
  WaitGone(server, clock.MonotonicMillis() + kServerGraceMs);
  Killed(broker);
  Killed(server);
}

Supervisor::Supervisor(std::unique_ptr<State> state) : state_(std::move(state)) {}

Supervisor::~Supervisor() {
  State& state = *state_;
  if (state.broker.pid != 0 || state.server.pid != 0) state.Stop();
  if (state.options.lock.valid()) ::unlink((state.options.data_dir + "/supervisor.pid").c_str());
}

Result<std::unique_ptr<Supervisor>> Supervisor::Prepare(SupervisorOptions options) {
  auto state = std::make_unique<State>(std::move(options));
  const std::string& dir = state->options.data_dir;
  state->broker = Child{"mosquitto", dir + "/broker.pid", state->paths.run_dir + "/broker.mark"};
  state->server = Child{"server", dir + "/server.pid", state->paths.run_dir + "/server.mark"};
  std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(state)));
  State& s = *supervisor->state_;
  s.EndLeftovers();
  for (const MqttListener& listener : s.options.broker.listeners) {
    FW_TRY(CheckPortFree(listener.address, listener.port, "mqtt.listen"));
  }
  for (const PortClaim& claim : s.options.server_ports) {
    FW_TRY(CheckPortFree(claim.address, claim.port, claim.setting));
  }
  std::vector<std::string> needed{s.options.data_dir, s.options.broker.plugin_file};
  if (!s.options.server_command.empty() && s.options.server_command[0].find('/') != std::string::npos) {
    needed.push_back(s.options.server_command[0]);
  }
  std::string why;
  s.identity = ResolveIdentity(s.options.user, needed, why);
  if (!why.empty()) log::Warning("running_as_root", {{"why", why}});
  FW_TRY(s.WriteFiles());
  // Overwritten in place from now on, which a full disk does not prevent.
  for (const Child* child : {&s.broker, &s.server}) FW_TRY(WriteMark(child->mark_file, {}));
  RaiseOpenFiles(s.options.open_files);
  s.relay = std::make_unique<ReasonRelay>(s.paths.reason_socket, [&s](std::string_view line) { s.TakeLine(line); });
  return supervisor;
}

Status Supervisor::Run() {
  State& s = *state_;
  sigset_t mask;
  sigset_t before;
  sigemptyset(&mask);
  for (int signal : {SIGTERM, SIGINT, SIGCHLD, SIGHUP}) sigaddset(&mask, signal);
  ::sigprocmask(SIG_BLOCK, &mask, &before);
  s.signals = Fd(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!s.signals.valid()) return ErrnoError(errno, "making a signalfd");
  Status status;
  for (bool running = true; running && status.ok();) {
    status = s.StartDue();
    bool waiting = s.broker.pid == 0 || s.server.pid == 0 || s.broker.pid_file_due || s.server.pid_file_due;
    pollfd polled[] = {{s.signals.get(), POLLIN, 0}, {s.broker_out.get(), POLLIN, 0}};
    if (status.ok() && ::poll(polled, 2, waiting ? 100 : 60000) < 0 && errno != EINTR) {
      status = ErrnoError(errno, "waiting for children");
    }
    signalfd_siginfo info{};
    while (::read(s.signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) running = false;
    }
    s.DrainBroker();
    s.Reap();
  }
  s.Stop();
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return status;
}

}  // namespace fleetward::supervise
