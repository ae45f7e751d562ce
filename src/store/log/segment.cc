#include "segment.h"

#include <algorithm>
#include <cstring>

#include "crc32c.h"
#include "fleetward/base/encoding.h"

namespace fleetward::store {
namespace {

constexpr std::uint32_t kMagic = 0x474c5746;  // "FWLG"
constexpr std::uint32_t kEnds = 1U << 31;     // in a record's `back`

std::uint32_t Load32(const char* at) {
  std::uint32_t v;
  std::memcpy(&v, at, 4);
  return v;  // little-endian machines only, as docs/storage-telemetry.md says
}
std::uint64_t Load64(const char* at) {
  std::uint64_t v;
  std::memcpy(&v, at, 8);
  return v;
}

}  // namespace

void AppendSegmentHeader(LogPosition first, std::string& out) {
  std::size_t begin = out.size();
  ByteWriter w(out);
  w.U32(kMagic);
  w.U16(kSegmentVersion);
  w.U16(0);
  w.U64(first);
  w.U32(Crc32c(std::string_view(out).substr(begin, 16)));
}

std::optional<SegmentHeader> ParseSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return std::nullopt;
  ByteReader r(bytes);
  if (r.U32() != kMagic) return std::nullopt;
  std::uint16_t version = r.U16();
  if (version == 0 || version > kSegmentVersion) return std::nullopt;
  r.U16();
  SegmentHeader header;
  header.first = r.U64();
  header.marks_ends = version >= 2;
  if (r.U32() != Crc32c(bytes.substr(0, 16))) return std::nullopt;
  return header;
}

void AppendRecord(LogPosition position, std::uint32_t back, bool ends, std::string_view payload, std::string& out) {
  if (ends) back |= kEnds;
  char header[kRecordHeaderBytes];
  auto length = static_cast<std::uint32_t>(payload.size());
  std::memcpy(header + 4, &length, 4);
  std::memcpy(header + 8, &position, 8);
  std::memcpy(header + 16, &back, 4);
  std::uint32_t crc = Crc32c(payload, Crc32c(std::string_view(header + 4, 16)));
  std::memcpy(header, &crc, 4);
  out.append(header, sizeof header).append(payload);
}

std::optional<ParsedRecord> ParseRecordAt(std::string_view segment, std::size_t offset) {
  if (offset > segment.size() || segment.size() - offset < kRecordHeaderBytes) return std::nullopt;
  const char* at = segment.data() + offset;
  std::uint32_t length = Load32(at + 4);
  if (length > segment.size() - offset - kRecordHeaderBytes) return std::nullopt;
  ParsedRecord record;
  record.position = Load64(at + 8);
  record.back = Load32(at + 16) & ~kEnds;
  record.ends = (Load32(at + 16) & kEnds) != 0;
  if (record.position == 0 || record.back >= record.position) return std::nullopt;
  record.payload = segment.substr(offset + kRecordHeaderBytes, length);
  if (Crc32c(record.payload, Crc32c({at + 4, 16})) != Load32(at)) return std::nullopt;
  record.end = offset + kRecordHeaderBytes + length;
  return record;
}

std::optional<ParsedRecord> FindRecord(std::string_view segment, std::size_t offset, LogPosition first,
                                       LogPosition last) {
  for (; offset + kRecordHeaderBytes <= segment.size(); ++offset) {
    // The position is the cheap test; checksums of long false candidates would make this quadratic.
    LogPosition position = Load64(segment.data() + offset + 8);
    if (position < first || position > last) continue;
    if (auto record = ParseRecordAt(segment, offset)) return record;
  }
  return std::nullopt;
}

SegmentScan ScanSegment(std::string_view segment, LogPosition first, bool marks_ends) {
  SegmentScan scan;
  scan.next = first;
  scan.end = kSegmentHeaderBytes;
  LogPosition whole_next = scan.next;  // behind what is there with all it was appended with
  std::size_t whole_end = scan.end;
  for (;;) {
    auto record = ParseRecordAt(segment, scan.end);
    if (!record || record->position != scan.next) {
      // A segment holds fewer records than bytes, which bounds the positions worth looking for.
      record = FindRecord(segment, scan.end, scan.next + 1, scan.next + segment.size());
      while (record && record->position - record->back <= scan.next) {
        record = FindRecord(segment, record->end, scan.next + 1, scan.next + segment.size());
      }
      if (!record) break;
      scan.damage.push_back({scan.next, record->position - 1, "offset " + std::to_string(scan.end)});
      whole_next = record->position - record->back;
      whole_end = scan.end;
    }
    scan.next = record->position + 1;
    scan.end = record->end;
    if (record->ends || !marks_ends) {
      whole_next = scan.next;
      whole_end = scan.end;
    }
  }
  scan.next = whole_next;
  scan.end = whole_end;
  if (!scan.damage.empty()) scan.damage.back().last = std::min(scan.damage.back().last, whole_next - 1);
  std::size_t used = segment.find_last_not_of('\0');
  if (used != std::string_view::npos && used + 1 > scan.end) scan.torn_bytes = used + 1 - scan.end;
  return scan;
}

}  // namespace fleetward::store
