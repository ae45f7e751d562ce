// The durable, ordered log of what operators did: who, when, from where, what, with what result.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fleetward/base/file.h"
#include "fleetward/base/result.h"
#include "fleetward/base/time.h"

namespace fleetward::access {

/// One call that may change something, or was refused. Never holds bodies, query strings or tokens.
struct OperatorAction {
  std::uint64_t sequence = 0;     // from 1, without gaps; given by the log
  Timestamp time{};
  std::string access_key_id;      // empty for an unsigned call
  std::string role;               // "admin", or empty
  std::string remote_address;
  std::string operation;          // "iot:CreateThing"
  std::string target;             // "POST /things/pump-1", or an ARN
  int status = 0;                 // of the answer
  std::string exception;          // "", or "AccessDeniedException"
  std::string request_id;
};

/// One line of JSON, without its line end. Example: {"seq":1,"time":"2026-11-22T12:00:00.000Z","key":"AKFW…",…}
std::string OperatorActionLine(const OperatorAction& action);
/// Errors: kCorrupt.
Result<OperatorAction> ParseOperatorActionLine(std::string_view line);

struct OperatorLogOptions {
  std::string folder;
  std::size_t segment_bytes = 1 << 20;   // a new file after this many
  Millis sync_every{100};
  std::size_t backlog = 10000;           // actions kept in memory while the disk takes none
};

/// Append-only files of lines, named by the first sequence number in them. Record writes to the page cache and returns;
/// one fdatasync for all that was written follows within `sync_every` (group commit): what was recorded survives the
/// process at once, and the machine after that time. Thread-safe.
class OperatorLog {
 public:
  /// Reads the newest file; a torn last line is cut. Errors: kIo, kUnavailable.
  static Result<std::unique_ptr<OperatorLog>> Open(OperatorLogOptions options);
  /// Writes and syncs what is left.
  ~OperatorLog();

  /// Never fails the call: while the disk is full, actions wait in memory. About 10 microseconds.
  void Record(OperatorAction action);

  /// Actions after sequence number `after` and not before `since`, oldest first, at most `limit`. Cost: one file, or more
  /// when the answer needs them. Errors: kIo, kCorrupt.
  Result<std::vector<OperatorAction>> Read(std::uint64_t after, Timestamp since, std::size_t limit) const;

  /// Removes files whose last action is older than `before`; the newest file stays.
  Status Expire(Timestamp before);

 private:
  explicit OperatorLog(OperatorLogOptions options) : options_(std::move(options)) {}
  Status Recover();
  Status OpenSegment(std::uint64_t first);
  Status Append(const std::string& line);
  void WriteBacklog();
  void SyncLoop();

  const OperatorLogOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::uint64_t next_ = 1;
  Fd file_;
  std::uint64_t file_bytes_ = 0;
  std::deque<std::pair<std::uint64_t, std::string>> backlog_;  // sequence, line
  bool dirty_ = false;
  bool stopping_ = false;
  std::thread syncer_;
};

}  // namespace fleetward::access
