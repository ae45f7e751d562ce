#include "hour_block.h"

#include <algorithm>

#include "element.h"

namespace fleetward::telemetry {
namespace {

using model::ValueKind;

enum RowBits : std::uint8_t { kNewSchema = 1, kNewReporter = 2, kHasFlags = 4, kHasReportId = 8 };
enum NumberForm : std::uint8_t { kWhole = 0, kRaw = 1, kHundredths = 2, kTenThousandths = 3 };
constexpr int kScale[] = {1, 0, 100, 10000};

bool SameSchema(const Sample& a, const Sample& b) {
  auto x = a.fields(), y = b.fields();
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](const auto& f, const auto& g) { return f.key == g.key && f.kind == g.kind; });
}

/// The field of the row before that `sample`'s field number `index` is coded against.
const Sample::Field* Before(const Sample* previous, std::size_t index, const Sample::Field& field) {
  if (previous == nullptr) return nullptr;
  auto fields = previous->fields();
  if (index < fields.size() && fields[index].key == field.key && fields[index].kind == field.kind) return &fields[index];
  for (const auto& other : fields) {
    if (other.key == field.key && other.kind == field.kind) return &other;
  }
  return nullptr;
}

void PutNumber(double value, double before, std::string& out) {
  for (NumberForm form : {kWhole, kHundredths, kTenThousandths}) {
    if (auto whole = Scaled(value, kScale[form])) {
      std::int64_t base = Scaled(before, kScale[form]).value_or(0);
      ByteWriter(out).Varint(ZigZag(*whole - base) << 2 | form);
      return;
    }
  }
  ByteWriter w(out);
  w.Varint(kRaw);
  w.F64(value);
}

bool GetNumber(ByteReader& in, double before, double& value) {
  std::uint64_t code = in.Varint();
  auto form = static_cast<NumberForm>(code & 3);
  if (form == kRaw) {
    value = in.F64();
    return in.ok();
  }
  std::int64_t base = Scaled(before, kScale[form]).value_or(0);
  auto whole = static_cast<std::int64_t>(static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(UnZigZag(code >> 2)));
  value = static_cast<double>(whole);
  if (form != kWhole) value /= kScale[form];
  return in.ok();
}

void PutList(const Sample& sample, const Sample::Field& field, const Sample* previous, const Sample::Field* before,
             std::string& out) {
  ByteWriter w(out);
  std::uint32_t common = before ? std::min(before->count, field.count) : 0;
  std::uint32_t first_change = before ? FirstDifference(sample, field, *previous, *before, common) : 0;
  if (before && first_change == field.count && before->count == field.count) {
    w.U8(0);
    return;
  }
  w.Varint(std::uint64_t{field.count} + 1);
  if (common == 0) {
    PutElements(sample, field, out);
    return;
  }
  std::size_t mask_at = out.size();
  out.append((common + 7) / 8, '\0');
  for (std::uint32_t i = first_change; i < field.count; ++i) {
    if (i < common) {
      if (SameElement(sample, field, i, *previous, *before, i)) continue;
      out[mask_at + i / 8] = static_cast<char>(out[mask_at + i / 8] | 1 << i % 8);
    }
    PutElement(sample, field, i, out);
  }
}

bool GetList(ByteReader& in, Sample& out, const Sample::Field& shape, const Sample* previous,
             const Sample::Field* before) {
  std::uint64_t code = in.Varint();
  std::uint64_t count = code == 0 ? (before ? before->count : 0) : code - 1;
  if (!in.ok() || (code == 0 && !before) || count > kMaxListElements) return false;
  auto first = static_cast<std::uint32_t>(shape.kind == ValueKind::kCidrs     ? out.prefixes().size()
                                          : shape.kind == ValueKind::kStrings ? out.string_count()
                                                                              : out.words().size());
  out.AddField(shape.key, shape.kind, first, static_cast<std::uint32_t>(count));
  std::uint32_t common = before ? static_cast<std::uint32_t>(std::min<std::uint64_t>(before->count, count)) : 0;
  std::string_view mask = code == 0 ? std::string_view() : in.Raw((common + 7) / 8);
  if (!in.ok()) return false;
  if (code == 0) {
    CopyElements(*previous, *before, common, out);
    return true;
  }
  if (common == 0) return GetElements(in, shape.kind, static_cast<std::uint32_t>(count), out);
  for (std::uint32_t i = 0; i < count; ++i) {
    bool same = i < common && !(mask[i / 8] >> i % 8 & 1);
    if (same) {
      CopyElement(*previous, *before, i, out);
    } else if (!GetElement(in, shape.kind, out)) {
      return false;
    }
  }
  return true;
}

bool GetRow(ByteReader& in, const Sample* previous, Sample& out, std::size_t rows_size, RowPlaces& places) {
  std::uint8_t bits = in.U8();
  std::int64_t before_time = previous ? ToMillis(previous->time) : 0;
  out.time = FromMillis(static_cast<std::int64_t>(static_cast<std::uint64_t>(before_time) +
                                                  static_cast<std::uint64_t>(in.SignedVarint())));
  if (bits & kHasFlags) out.flags = static_cast<std::uint32_t>(in.Varint());
  std::uint64_t id_before = previous ? previous->report_id : 0;
  out.report_id = id_before + (bits & kHasReportId ? static_cast<std::uint64_t>(in.SignedVarint()) : 0);
  if (bits & kNewReporter) {
    places.reporter = rows_size - in.remaining();
    out.reporter = in.Bytes();
  } else if (previous) {
    out.reporter = previous->reporter;
  }
  std::vector<Sample::Field> schema;
  std::span<const Sample::Field> shapes;
  if (bits & kNewSchema) {
    places.schema = rows_size - in.remaining();
    if (!ReadSchema(in, schema)) return false;
    shapes = schema;
  } else if (previous) {
    shapes = previous->fields();
  }
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Sample::Field& shape = shapes[i];
    const Sample::Field* before = Before(previous, i, shape);
    if (IsList(shape.kind)) {
      if (!GetList(in, out, shape, previous, before)) return false;
    } else if (shape.kind == ValueKind::kCount) {
      std::uint64_t base = before ? previous->words()[before->first] : 0;
      out.AddCount(shape.key, static_cast<std::int64_t>(base + static_cast<std::uint64_t>(in.SignedVarint())));
    } else {
      double base = before ? std::bit_cast<double>(previous->words()[before->first]) : 0, value = 0;
      if (!GetNumber(in, base, value)) return false;
      out.AddNumber(shape.key, value);
    }
    if (!in.ok()) return false;
  }
  return in.ok();
}

}  // namespace

bool ReadSchema(ByteReader& in, std::vector<Sample::Field>& fields) {
  std::uint64_t count = in.Varint();
  if (!in.ok() || count > kMaxFields || count > in.remaining()) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    Sample::Field field{};
    field.key.metric = static_cast<model::MetricId>(in.Varint());
    field.key.dimension = static_cast<std::uint32_t>(in.Varint());
    std::uint8_t kind = in.U8();
    if (!in.ok() || kind > static_cast<std::uint8_t>(ValueKind::kStrings)) return false;
    field.kind = static_cast<ValueKind>(kind);
    fields.push_back(field);
  }
  return true;
}

RowPlaces AppendHourRow(const Sample& sample, const Sample* previous, std::string& rows) {
  ByteWriter w(rows);
  RowPlaces places;
  bool same_schema = previous && SameSchema(sample, *previous);
  std::uint64_t id_step = sample.report_id - (previous ? previous->report_id : 0);
  std::uint8_t bits = 0;
  if (!same_schema) bits |= kNewSchema;
  if (previous ? sample.reporter != previous->reporter : !sample.reporter.empty()) bits |= kNewReporter;
  if (sample.flags) bits |= kHasFlags;
  if (id_step) bits |= kHasReportId;
  w.U8(bits);
  w.SignedVarint(ToMillis(sample.time) - (previous ? ToMillis(previous->time) : 0));
  if (bits & kHasFlags) w.Varint(sample.flags);
  if (bits & kHasReportId) w.SignedVarint(static_cast<std::int64_t>(id_step));
  if (bits & kNewReporter) {
    places.reporter = rows.size();
    w.Bytes(sample.reporter);
  }
  if (bits & kNewSchema) {
    places.schema = rows.size();
    w.Varint(sample.fields().size());
    for (const auto& field : sample.fields()) {
      w.Varint(field.key.metric);
      w.Varint(field.key.dimension);
      w.U8(static_cast<std::uint8_t>(field.kind));
    }
  }
  for (std::size_t i = 0; i < sample.fields().size(); ++i) {
    const Sample::Field& field = sample.fields()[i];
    const Sample::Field* before = Before(previous, i, field);
    if (IsList(field.kind)) {
      PutList(sample, field, previous, before, rows);
      continue;
    }
    std::uint64_t word = sample.words()[field.first];
    std::uint64_t base = before ? previous->words()[before->first] : 0;
    if (field.kind == ValueKind::kCount) {
      w.SignedVarint(static_cast<std::int64_t>(word - base));
    } else {
      PutNumber(std::bit_cast<double>(word), std::bit_cast<double>(base), rows);
    }
  }
  return places;
}

std::string MakeHourBlock(std::uint64_t count, LogPosition first, LogPosition sealed_by, std::string_view rows) {
  std::string block;
  block.reserve(rows.size() + 12);
  ByteWriter w(block);
  w.U8(kHourBlockVersion);
  w.Varint(count);
  w.Varint(sealed_by - first);
  w.Raw(rows);
  return block;
}

Result<HourBlockHeader> ParseHourHeader(std::string_view block) {
  ByteReader in(block);
  HourBlockHeader header;
  bool known = in.U8() == kHourBlockVersion;
  header.count = in.Varint();
  header.span = in.Varint();
  header.rows = in.Raw(in.remaining());
  if (!in.ok() || !known || header.count > kMaxHourSamples) return Error(Code::kCorrupt, "an hour block makes no sense");
  return header;
}

Status DecodeHourBlock(std::string_view block, const model::EntityId& entity, Source source,
                       std::vector<Sample>& samples, std::size_t& used, RowPlaces* places) {
  FW_ASSIGN(HourBlockHeader header, ParseHourHeader(block));
  ByteReader in(header.rows);
  std::size_t first = used;
  RowPlaces found;
  if (samples.size() < used + header.count) samples.resize(used + header.count);
  for (std::uint64_t i = 0; i < header.count; ++i) {
    Sample& sample = samples[used];
    sample.Clear();
    sample.entity = entity;
    sample.source = source;
    if (!GetRow(in, i ? &samples[used - 1] : nullptr, sample, header.rows.size(), found)) {
      used = first;
      return Error(Code::kCorrupt, "an hour block makes no sense");
    }
    ++used;
  }
  if (!in.AtEnd()) {
    used = first;
    return Error(Code::kCorrupt, "an hour block has bytes left over");
  }
  if (places) *places = found;
  return {};
}

}  // namespace fleetward::telemetry
