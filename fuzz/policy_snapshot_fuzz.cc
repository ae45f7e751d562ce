// Snapshot, delta and journal bytes: opened as they are, and the snapshot once more under right checksums.
#include "fleetward/policy/snapshot_journal.h"
#include "fleetward/policy/snapshot_state.h"
#include "snapshot_format.h"

using namespace fleetward::policy;

namespace {

void ReadAll(std::string_view bytes) {
  auto view = SnapshotView::Open(bytes);
  if (!view.ok()) return;
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(view->certificate_count(), 50); ++i) {
    (void)view->FindCertificate(view->CertificateAt(i).fingerprint);
  }
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(view->thing_count(), 50); ++i) {
    (void)view->FindThing(view->ThingAt(i).name);
  }
  SnapshotState state;
  std::vector<PolicyRef> policies;
  if (!state.Load(bytes, nullptr).ok()) return;
  for (std::uint32_t i = 0; i < 8; ++i) (void)state.AppendPolicies(i, policies);
  Facts facts;
  (void)Decide(policies, facts, Action::kPublish, "a");
  ApplyJournal(bytes, state);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  ReadAll(bytes);
  auto delta = DecodeDelta(bytes);
  if (delta.ok()) (void)EncodeDelta(*delta);
  if (bytes.size() >= format::kHeaderBytes) {
    std::memcpy(bytes.data(), format::kMagic.data(), format::kMagic.size());
    format::Store(bytes, format::kAtVersion, format::kVersion);
    format::Store(bytes, format::kAtHeaderBytes, static_cast<std::uint32_t>(format::kHeaderBytes));
    format::Store(bytes, format::kAtTotalBytes, static_cast<std::uint64_t>(bytes.size()));
    format::Seal(bytes);
    ReadAll(bytes);
  }
  return 0;
}
