#include "open_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "element.h"
#include "fleetward/base/encoding.h"

namespace fleetward::telemetry {
namespace {

using model::ValueKind;

void PackList(const Sample& sample, const Sample::Field& field, std::string& out) {
  ByteWriter(out).Varint(field.count);
  PutElements(sample, field, out);
}

/// Time, report id, then the values; reporter and schema stand in the rows.
void Pack(const Sample& sample, std::string& out) {
  ByteWriter w(out);
  w.U64(static_cast<std::uint64_t>(ToMillis(sample.time)));
  w.U64(sample.report_id);
  for (const Sample::Field& field : sample.fields()) {
    if (IsList(field.kind)) {
      PackList(sample, field, out);
    } else if (field.kind == ValueKind::kCount) {
      w.SignedVarint(static_cast<std::int64_t>(sample.words()[field.first]));
    } else {
      w.U64(sample.words()[field.first]);
    }
  }
}

void UnpackList(ByteReader& in, const Sample::Field& shape, Sample& out) {
  auto count = static_cast<std::uint32_t>(in.Varint());
  auto first = static_cast<std::uint32_t>(shape.kind == ValueKind::kCidrs     ? out.prefixes().size()
                                          : shape.kind == ValueKind::kStrings ? out.string_count()
                                                                              : out.words().size());
  out.AddField(shape.key, shape.kind, first, count);
  GetElements(in, shape.kind, count, out);
}

}  // namespace

void OpenRows::Append(const Sample& sample, Scratch& scratch) {
  bool first = empty();
  if (!first) Unpack(scratch);
  scratch.row.clear();
  RowPlaces places = AppendHourRow(sample, first ? nullptr : &scratch.previous, scratch.row);
  if (places.reporter != RowPlaces::kNone) reporter_at_ = rows_ + static_cast<std::uint32_t>(places.reporter);
  if (places.schema != RowPlaces::kNone) schema_at_ = rows_ + static_cast<std::uint32_t>(places.schema);
  std::size_t row = scratch.row.size();
  Pack(sample, scratch.row);
  Put(scratch.row, row);
}

void OpenRows::Assign(std::string_view rows, const Sample& newest, const RowPlaces& places, Scratch& scratch) {
  Clear();
  scratch.row = rows;
  Pack(newest, scratch.row);
  Put(scratch.row, rows.size());
  if (places.reporter != RowPlaces::kNone) reporter_at_ = static_cast<std::uint32_t>(places.reporter);
  if (places.schema != RowPlaces::kNone) schema_at_ = static_cast<std::uint32_t>(places.schema);
}

void OpenRows::Clear() { *this = OpenRows(); }

void OpenRows::Put(std::string_view bytes, std::size_t row) {
  std::size_t size = rows_ + bytes.size();
  if (size > capacity_) {
    // Room for a row or two; what malloc gives in steps of 16 bytes, of which 8 are its own.
    std::size_t capacity = (size + std::max<std::size_t>(size / 8, 48) + 8 + 15) / 16 * 16 - 8;
    void* larger = std::realloc(bytes_.get(), capacity);
    if (larger == nullptr) throw std::bad_alloc();
    (void)bytes_.release();
    bytes_.reset(static_cast<char*>(larger));
    capacity_ = static_cast<std::uint32_t>(capacity);
  }
  std::memcpy(bytes_.get() + rows_, bytes.data(), bytes.size());
  rows_ += static_cast<std::uint32_t>(row);
  newest_ = static_cast<std::uint32_t>(bytes.size() - row);
}

void OpenRows::Unpack(Scratch& scratch) const {
  Sample& out = scratch.previous;
  out.Clear();
  if (reporter_at_ != kNone) out.reporter = ByteReader(rows().substr(reporter_at_)).Bytes();
  std::string_view behind = rows().substr(schema_at_);
  if (scratch.schema_bytes.empty() || !behind.starts_with(scratch.schema_bytes)) {  // things of a fleet are much alike
    ByteReader schema(behind);
    scratch.schema.clear();
    ReadSchema(schema, scratch.schema);
    scratch.schema_bytes = behind.substr(0, behind.size() - schema.remaining());
  }
  ByteReader in({bytes_.get() + rows_, newest_});
  out.time = FromMillis(static_cast<std::int64_t>(in.U64()));
  out.report_id = in.U64();
  for (const Sample::Field& shape : scratch.schema) {
    if (IsList(shape.kind)) {
      UnpackList(in, shape, out);
    } else if (shape.kind == ValueKind::kCount) {
      out.AddCount(shape.key, in.SignedVarint());
    } else {
      out.AddNumber(shape.key, std::bit_cast<double>(in.U64()));
    }
  }
}

}  // namespace fleetward::telemetry
