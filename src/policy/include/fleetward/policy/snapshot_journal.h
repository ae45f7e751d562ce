// The deltas since the snapshot file was written last, kept beside it: a broker that starts alone reads both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fleetward/policy/snapshot_state.h"

namespace fleetward::policy {

/// There are two, `index` 0 and 1: one grows while the snapshot file that covers the other is written.
inline std::string JournalPath(const std::string& snapshot_path, int index) {
  return snapshot_path + ".deltas" + std::to_string(index);
}
/// What a reader takes of one; the publisher writes a snapshot at once when one has grown to a quarter of it.
inline constexpr std::uint64_t kMaxJournalBytes = std::uint64_t{256} << 20;

/// Appends an encoded delta (EncodeDelta) as a record: u32 length, little-endian, and its bytes.
void AppendJournalRecord(std::string_view delta, std::string& out);

/// Applies the records that go on from state.version(); older ones are passed over. Ends at a gap, at a damaged record
/// and at half a record, which a crash may leave.
void ApplyJournal(std::string_view journal, SnapshotState& state);

}  // namespace fleetward::policy
