// Edge end of the link: numbers frames, keeps them until the server acknowledges them, and never blocks. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "fleetward/base/file.h"
#include "fleetward/base/id128.h"
#include "fleetward/report/frames.h"

namespace fleetward::bus {

class FrameSender {
 public:
  struct Options {
    std::string path;     // the server's socket
    std::string edge_id;
    Id128 plugin_start;   // random per start
    /// Bytes kept at most while the server is away (D19).
    std::size_t max_bytes = 64 << 20;
    /// Least milliseconds between two attempts to connect.
    std::int64_t reconnect_ms = 100;
    /// Things counted by name when their reports are dropped; the rest is summed up.
    std::size_t max_dropped_things = 1024;
  };

  explicit FrameSender(Options options);

  /// Each appends one numbered frame, unless the buffer is full: then false, and the loss is counted for the next
  /// Dropped frame. Counters are taken up to half of the buffer only, so detail goes before reports.
  bool Add(const report::ReportFrame& frame);
  bool Add(const report::ConnectedFrame& frame) { return AddEvent(frame); }
  bool Add(const report::DisconnectedFrame& frame) { return AddEvent(frame); }
  bool Add(const report::RefusedFrame& frame) { return AddEvent(frame); }
  bool Add(const report::AppliedFrame& frame) { return AddEvent(frame); }
  bool Add(const report::RetainedFrame& frame) { return AddOther(frame, frame.entries.size()); }
  bool Add(const report::DoneFrame& frame) { return AddOther(frame, 0); }
  /// A loss is not counted: the device tries again.
  bool Add(const report::UnregisteredFrame& frame);
  /// False leaves it to the caller to call CountLostCounters, or better to ask first and wait.
  bool Add(const report::CountersFrame& frame);
  bool HasRoomForCounters() const { return bytes_ < options_.max_bytes / 4; }
  void CountLostCounters(std::uint64_t records) { lost_counters_ += records; }
  /// A Clock that still waits for the server is replaced by the newer one, so an idle edge stays small.
  void Add(const report::ClockFrame& frame);

  /// Connects, reads acknowledgements, writes what fits. Call often; never blocks. `monotonic_ms` paces reconnects,
  /// `event_time_ms` goes into Hello and Dropped.
  void Pump(std::int64_t monotonic_ms, std::int64_t event_time_ms);

  bool connected() const { return welcomed_; }
  std::size_t buffered_bytes() const { return bytes_; }
  std::uint64_t next_seq() const { return next_seq_; }
  std::uint64_t acked_seq() const { return acked_; }
  bool HasUnsent() const;

 private:
  static constexpr std::size_t kNoClock = static_cast<std::size_t>(-1);
  static constexpr std::size_t kFrameRoom = 128;
  struct Chunk {
    std::string bytes;
    std::uint64_t first_seq = 0;
    std::uint64_t last_seq = 0;
  };

  template <class F>
  bool AddEvent(const F& frame);
  template <class F>
  bool AddOther(const F& frame, std::size_t bytes);
  template <class F>
  bool Append(const F& frame, std::size_t size_hint, std::size_t limit);
  Chunk& Room(std::size_t size_hint);
  void AddDropped(std::int64_t event_time_ms);
  void Connect(std::int64_t monotonic_ms, std::int64_t event_time_ms);
  void Close();
  void Read();
  bool Handle(const report::RawFrame& frame);
  void Write();
  void Welcomed(std::uint64_t acked_seq);
  void Acked(std::uint64_t acked_seq);

  Options options_;
  Fd socket_;
  bool welcomed_ = false;
  std::int64_t next_connect_ms_ = 0;
  std::int64_t next_read_ms_ = 0;
  std::string greeting_;        // Hello bytes not yet written
  std::string in_;              // part of a frame from the server
  std::deque<Chunk> chunks_;    // unacknowledged frames
  std::string spare_;           // an empty chunk's memory
  std::size_t send_chunk_ = 0;  // cursor: next byte to write
  std::size_t send_offset_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t next_seq_ = 1;
  std::uint64_t acked_ = 0;
  // The tail frame when it is a Clock of which no byte was written yet: its offset in the last chunk.
  std::size_t clock_offset_ = kNoClock;
  std::uint64_t lost_counters_ = 0;
  std::uint64_t lost_events_ = 0;
  std::uint64_t lost_other_reports_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> lost_reports_;

};

}  // namespace fleetward::bus
