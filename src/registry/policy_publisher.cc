#include "fleetward/registry/policy_publisher.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/policy/snapshot_builder.h"
#include "fleetward/policy/snapshot_delta.h"
#include "fleetward/policy/snapshot_journal.h"
#include "delta_journal.h"
#include "snapshot_source.h"

namespace fleetward::registry {
namespace {

constexpr Table kPublisherState{"policy_publisher"};  // "epoch": 8 bytes big-endian
constexpr auto kBarrierWait = std::chrono::milliseconds(100);
constexpr auto kFlushWait = std::chrono::milliseconds(1000);
constexpr auto kRetry = std::chrono::milliseconds(200);
constexpr std::uint64_t kMaxSnapshotBytes = std::uint64_t{4} << 30;

// What has to be looked at again.
struct Dirty {
  std::set<std::string> things, certificates, policies;
  bool groups = false;
  bool dimensions = false;

  bool empty() const {
    return things.empty() && certificates.empty() && policies.empty() && !groups && !dimensions;
  }
  void Note(const Change& change) {
    std::visit([&](const auto& event) { NoteEvent(event); }, change);
  }
  void NoteEvent(const ThingChanged& event) { things.insert(event.name.value()); }
  void NoteEvent(const ThingGroupChanged&) {}  // counts through its members and its policies
  void NoteEvent(const MembershipChanged& event) { things.insert(event.thing.value()); }
  void NoteEvent(const CertificateChanged& event) { certificates.insert(event.id.value()); }
  void NoteEvent(const AttachmentChanged& event) {
    certificates.insert(event.certificate.value());
    things.insert(event.thing.value());
  }
  void NoteEvent(const PolicyChanged& event) { policies.insert(event.name.value()); }
  void NoteEvent(const PolicyAttachmentChanged& event) {
    if (event.target.starts_with("cert/")) {
      certificates.insert(event.target.substr(5));
    } else {
      groups = true;
    }
  }
  // What devices may do does not depend on what is watched, but the plugin counts by the dimensions that are used.
  void NoteEvent(const DimensionChanged&) { dimensions = true; }
  void NoteEvent(const SecurityProfileChanged&) { dimensions = true; }
  void NoteEvent(const auto&) {}  // nothing that a policy could speak of
  void Add(Dirty&& other) {
    things.merge(other.things);
    certificates.merge(other.certificates);
    policies.merge(other.policies);
    groups = groups || other.groups;
    dimensions = dimensions || other.dimensions;
  }
};

}  // namespace

struct PolicyPublisher::State {
  PublisherOptions options;
  store::ControlStore& store;
  model::Arns arns;
  PolicyNumbers numbers;

  mutable std::mutex mutex;
  std::condition_variable wake, done, file_wake;
  Dirty dirty;
  std::uint64_t told = 0, handled = 0;  // OnChanges calls noted, and gone into deltas
  std::uint64_t version = 0, written = 0;
  DeltaSink sink;
  EnforcementBarrier* barrier = nullptr;
  bool stopping = false;
  bool hurry = false;  // the journal has grown long
  bool file_failed = false;

  std::mutex sink_mutex;  // held while the sink runs, so that SetSink waits for it
  DeltaJournal journal;   // under sink_mutex
  bool journal_failed = false;
  std::mutex file_mutex;  // one file at a time
  // What the brokers know of the sets of groups; the delta thread's own.
  std::map<policy::PolicySetNumber, std::vector<policy::PolicyNumber>> group_sets;
  std::vector<policy::DimensionEntry> dimensions;  // the same
  std::thread delta_thread, file_thread;

  State(PublisherOptions o, store::ControlStore& s, model::Arns a)
      : options(std::move(o)), store(s), arns(std::move(a)) {}

  Status TakeEpoch();
  Result<std::uint64_t> WriteFile();
  void RunDeltas();
  void RunFiles();
  Status Handle(const Dirty& work);
  Result<std::vector<policy::SnapshotChange>> ChangesFor(const Dirty& work, ConstReader reader);
  Result<std::size_t> AddSets(SnapshotSource& source, bool all, std::vector<policy::SnapshotChange>& changes);
  void HandOut(std::vector<policy::SnapshotChange> changes);
  void Journaled(const Status& status);
};

// Numbers mean something within one start of the server only, so each start has versions of its own: a broker that
// still holds the last ones sees a gap and maps the file.
Status PolicyPublisher::State::TakeEpoch() {
  std::uint64_t last = 0;
  auto bytes = ReadFile(options.path, kMaxSnapshotBytes);
  if (bytes.ok()) {
    auto view = policy::SnapshotView::Open(*bytes);
    if (view.ok()) last = view->version() >> policy::kEpochShift;
  }
  FW_ASSIGN(std::uint64_t epoch,
            store::WriteFor<std::uint64_t>(store, "system", [&](Transaction& tx) -> Result<std::uint64_t> {
              FW_ASSIGN(auto present, tx.Get(kPublisherState, "epoch"));
              std::uint64_t stored = 0;
              for (char c : present.value_or("")) stored = stored << 8 | static_cast<unsigned char>(c);
              std::uint64_t next = std::max(stored, last) + 1;
              FW_TRY(tx.Put(kPublisherState, "epoch", BigEndian64(next)));
              return next;
            }));
  version = epoch << policy::kEpochShift;
  return {};
}

Result<std::uint64_t> PolicyPublisher::State::WriteFile() {
  std::lock_guard one(file_mutex);
  policy::SnapshotInfo info{0, arns.region(), arns.account().value()};
  {
    // The version first, the contents after: a delta that is already in the contents does no harm when applied again.
    std::lock_guard ordered(sink_mutex);
    journal.BeginSnapshot();
    std::lock_guard lock(mutex);
    info.version = version;
  }
  policy::SnapshotBuilder builder(info);
  FW_TRY(store.Read([&](ConstReader reader) -> Status {
    SnapshotSource source(reader, numbers);
    FW_ASSIGN(auto watched, source.WatchedDimensions());
    for (const auto& dimension : watched) builder.AddDimension(dimension);
    return source.AddAll(builder);
  }));
  std::uint64_t seed = 0;
  for (char c : crypto::RandomBytes(8)) seed = seed << 8 | static_cast<unsigned char>(c);
  FW_ASSIGN(std::string bytes, builder.Build(seed));
  FW_TRY(WriteFileAtomic(options.path, bytes, 0600));
  {
    std::lock_guard ordered(sink_mutex);
    Journaled(journal.EndSnapshot());
  }
  std::lock_guard lock(mutex);
  written = std::max(written, info.version);
  return info.version;
}

// Adds the new sets, and of the groups' sets those that changed if `all`. Gives the number of new ones.
Result<std::size_t> PolicyPublisher::State::AddSets(SnapshotSource& source, bool all,
                                                    std::vector<policy::SnapshotChange>& changes) {
  auto fresh = numbers.NewSets();
  for (const auto& [number, key] : fresh) {
    FW_ASSIGN(policy::PolicySetEntry entry, source.SetOf(number, key));
    if (key.of_groups) group_sets[number] = entry.policies;
    changes.emplace_back(std::move(entry));
  }
  for (const auto& [number, key] : all ? numbers.Sets() : decltype(numbers.Sets())()) {
    if (!key.of_groups) continue;
    FW_ASSIGN(policy::PolicySetEntry entry, source.SetOf(number, key));
    auto& known = group_sets[number];
    if (known == entry.policies) continue;
    known = entry.policies;
    changes.emplace_back(std::move(entry));
  }
  return fresh.size();
}

Result<std::vector<policy::SnapshotChange>> PolicyPublisher::State::ChangesFor(const Dirty& work, ConstReader reader) {
  SnapshotSource source(reader, numbers);
  std::vector<policy::SnapshotChange> changes;
  for (const std::string& name : work.policies) {
    FW_ASSIGN(auto entry, source.PolicyOf(name));
    if (entry) {
      changes.emplace_back(std::move(*entry));
    } else {
      changes.emplace_back(policy::RemovePolicy{numbers.OfPolicy(name)});
    }
  }
  for (const std::string& id : work.certificates) {
    FW_ASSIGN(auto entry, source.CertificateOf(id));
    if (entry) {
      changes.emplace_back(std::move(*entry));
    } else if (auto fingerprint = policy::FingerprintOf(id)) {
      changes.emplace_back(policy::RemoveCertificate{*fingerprint});
    }
  }
  for (const std::string& name : work.things) {
    FW_ASSIGN(auto entry, source.ThingOf(name));
    if (entry) {
      changes.emplace_back(std::move(*entry));
    } else {
      changes.emplace_back(policy::RemoveThing{name});
    }
  }
  return changes;
}

Status PolicyPublisher::State::Handle(const Dirty& work) {
  std::vector<policy::SnapshotChange> changes;
  std::size_t new_sets = 0;
  std::vector<policy::DimensionEntry> watched = dimensions;
  if (!work.empty()) {
    FW_TRY(store.Read([&](ConstReader reader) -> Status {
      FW_ASSIGN(changes, ChangesFor(work, reader));
      SnapshotSource source(reader, numbers);
      FW_ASSIGN(new_sets, AddSets(source, work.groups || !work.policies.empty(), changes));
      if (work.dimensions) {
        FW_ASSIGN(watched, source.WatchedDimensions());
      }
      return {};
    }));
  }
  if (watched != dimensions) changes.emplace_back(policy::SetDimensions{watched});
  if (!changes.empty()) HandOut(std::move(changes));
  dimensions = std::move(watched);
  numbers.ForgetNewSets(new_sets);
  return {};
}

void PolicyPublisher::State::HandOut(std::vector<policy::SnapshotChange> changes) {
  std::lock_guard ordered(sink_mutex);
  DeltaSink to;
  std::string bytes;
  std::uint64_t now = 0;
  {
    std::lock_guard lock(mutex);
    policy::SnapshotDelta delta{version, version + 1, std::move(changes)};
    bytes = policy::EncodeDelta(delta);
    now = ++version;
    to = sink;
  }
  if (to) to(now, bytes);
  // After the brokers, whom this change does not wait for a disk; before the call that asked for it returns.
  Journaled(journal.Append(bytes));
  if (journal.bytes() > policy::kMaxJournalBytes / 4) {
    std::lock_guard lock(mutex);
    hurry = true;
  }
  file_wake.notify_all();
}

/// A broker that starts alone then has what the file holds, which is tried again and again.
void PolicyPublisher::State::Journaled(const Status& status) {
  if (!status.ok() && !journal_failed) log::Error("policy_journal_failed", {{"error", status.error().ToString()}});
  journal_failed = !status.ok();
}

void PolicyPublisher::State::RunDeltas() {
  std::unique_lock lock(mutex);
  for (;;) {
    wake.wait(lock, [&] { return stopping || handled < told; });
    if (stopping) return;
    Dirty work = std::exchange(dirty, {});
    std::uint64_t upto = told;
    lock.unlock();
    Status status = Handle(work);
    lock.lock();
    if (status.ok()) {
      handled = upto;
      done.notify_all();
      continue;
    }
    log::Error("policy_publisher_failed", {{"error", status.error().ToString()}});
    // What the brokers know of the groups' sets is unclear now: send them all again.
    group_sets.clear();
    work.groups = true;
    dirty.Add(std::move(work));
    wake.wait_for(lock, kRetry, [&] { return stopping; });
  }
}

void PolicyPublisher::State::RunFiles() {
  std::unique_lock lock(mutex);
  auto pause = options.quiet;
  for (;;) {
    file_wake.wait(lock, [&] { return stopping || version != written; });
    if (!stopping) file_wake.wait_for(lock, pause, [&] { return stopping || (hurry && !file_failed); });
    hurry = false;
    if (version == written) {
      if (stopping) return;
      continue;
    }
    bool last = stopping;
    lock.unlock();
    auto begun = std::chrono::steady_clock::now();
    auto result = WriteFile();
    auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    file_failed = !result.ok();
    if (file_failed) log::Error("policy_snapshot_write_failed", {{"error", result.error().ToString()}});
    lock.lock();
    pause = std::max(options.quiet, std::min<std::chrono::milliseconds>(took * 10, std::chrono::seconds(60)));
    if (last) return;
  }
}

PolicyPublisher::PolicyPublisher(PublisherOptions options, store::ControlStore& store, model::Arns arns)
    : state_(std::make_unique<State>(std::move(options), store, std::move(arns))) {}

PolicyPublisher::~PolicyPublisher() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  state_->file_wake.notify_all();
  state_->done.notify_all();
  if (state_->delta_thread.joinable()) state_->delta_thread.join();
  if (state_->file_thread.joinable()) state_->file_thread.join();
}

Status PolicyPublisher::Start() {
  FW_TRY(state_->TakeEpoch());
  FW_ASSIGN(std::uint64_t written, state_->WriteFile());
  (void)written;
  FW_TRY(state_->journal.Open(state_->options.path));
  // The file has them all.
  FW_TRY(state_->store.Read([&](ConstReader reader) -> Status {
    SnapshotSource source(reader, state_->numbers);
    std::vector<policy::SnapshotChange> known;
    FW_ASSIGN(std::size_t new_sets, state_->AddSets(source, true, known));
    state_->numbers.ForgetNewSets(new_sets);
    FW_ASSIGN(state_->dimensions, source.WatchedDimensions());
    return {};
  }));
  state_->delta_thread = std::thread([state = state_.get()] { state->RunDeltas(); });
  state_->file_thread = std::thread([state = state_.get()] { state->RunFiles(); });
  return {};
}

void PolicyPublisher::SetSink(DeltaSink sink) {
  std::lock_guard ordered(state_->sink_mutex);
  std::lock_guard lock(state_->mutex);
  state_->sink = std::move(sink);
}

void PolicyPublisher::SetBarrier(EnforcementBarrier* barrier) {
  std::lock_guard lock(state_->mutex);
  state_->barrier = barrier;
}

void PolicyPublisher::OnChanges(std::span<const Change> changes) {
  {
    std::lock_guard lock(state_->mutex);
    for (const Change& change : changes) state_->dirty.Note(change);
    ++state_->told;
  }
  state_->wake.notify_one();
}

std::uint64_t PolicyPublisher::version() const {
  std::lock_guard lock(state_->mutex);
  return state_->version;
}

std::uint64_t PolicyPublisher::Flush() {
  std::unique_lock lock(state_->mutex);
  std::uint64_t upto = state_->told;
  state_->done.wait_for(lock, kFlushWait, [&] { return state_->stopping || state_->handled >= upto; });
  return state_->version;
}

EnforcementBarrier* PolicyPublisher::Barrier() const {
  std::lock_guard lock(state_->mutex);
  return state_->barrier;
}

void PolicyPublisher::Settle() {
  std::uint64_t version = Flush();
  if (EnforcementBarrier* barrier = Barrier()) barrier->WaitApplied(version, kBarrierWait);
}

bool PolicyPublisher::Await(std::chrono::milliseconds at_most) {
  std::uint64_t version = Flush();
  EnforcementBarrier* barrier = Barrier();
  return barrier == nullptr || barrier->WaitServed(version, at_most);
}

Result<std::uint64_t> PolicyPublisher::WriteSnapshot() { return state_->WriteFile(); }

}  // namespace fleetward::registry
