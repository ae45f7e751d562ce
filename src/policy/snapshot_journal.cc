#include "fleetward/policy/snapshot_journal.h"

#include "fleetward/base/encoding.h"

namespace fleetward::policy {

void AppendJournalRecord(std::string_view delta, std::string& out) {
  ByteWriter writer(out);
  writer.U32(static_cast<std::uint32_t>(delta.size()));
  writer.Raw(delta);
}

void ApplyJournal(std::string_view journal, SnapshotState& state) {
  ByteReader reader(journal);
  for (;;) {
    std::uint32_t size = reader.U32();
    std::string_view delta = reader.Raw(size);
    if (!reader.ok() || !state.Apply(delta).ok()) return;
  }
}

}  // namespace fleetward::policy
