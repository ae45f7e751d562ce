#include "day_block.h"

#include <zstd.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "element.h"
#include "int_stream.h"

namespace fleetward::telemetry {
namespace {

using model::ValueKind;

constexpr int kLevel = 1;
constexpr std::size_t kSmallPayload = 64;   // not worth a compressed frame
enum Form : std::uint8_t { kPlainForm = 0, kZstdForm = 1 };
enum NumberScale : std::uint8_t { kRawNumbers = 0, kWholes = 1, kHundredths = 2, kTenThousandths = 3 };
constexpr int kScale[] = {0, 1, 100, 10000};
constexpr std::uint64_t kMaxColumns = 1 << 14;
// Devices choose the elements, and so where they hash to. One that finds no place in so many steps is written again
// each time it comes: crafted elements cost space, not time.
constexpr int kMaxSteps = 64;

Error Nonsense() { return Error(Code::kCorrupt, "a day block makes no sense"); }

struct Column {
  SeriesKey key;
  ValueKind kind;
  std::vector<std::uint32_t> rows;     // sample numbers that have it
  std::vector<std::uint32_t> fields;   // the field's number in each
};

}  // namespace

struct DayEncoder::Impl {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::vector<Column> columns;
  std::size_t column_count = 0;
  std::vector<std::uint64_t> values, scratch, lengths, codes;
  std::string payload, block, mask, dictionary, element, stream;
  std::vector<std::uint32_t> ends;     // of the dictionary's elements
  std::vector<std::uint32_t> slots;    // hash table of elements, numbers from 1; 0 is empty

  ~Impl() { ZSTD_freeCCtx(context); }

  /// Sorts the fields into columns. Samples of a day mostly have the same fields in the same order.
  void Collect(std::span<const Sample* const> samples) {
    column_count = 0;
    std::vector<std::uint32_t> guess;
    for (std::uint32_t row = 0; row < samples.size(); ++row) {
      auto fields = samples[row]->fields();
      if (guess.size() < fields.size()) guess.resize(fields.size(), 0);
      for (std::uint32_t i = 0; i < fields.size(); ++i) {
        Column* column = guess[i] < column_count ? &columns[guess[i]] : nullptr;
        if (!column || column->key != fields[i].key || column->kind != fields[i].kind) {
          guess[i] = Find(fields[i]);
          column = &columns[guess[i]];
        }
        if (!column->rows.empty() && column->rows.back() == row) continue;  // a series twice in a sample: the first
        column->rows.push_back(row);
        column->fields.push_back(i);
      }
    }
  }

  std::uint32_t Find(const Sample::Field& field) {
    for (std::uint32_t i = 0; i < column_count; ++i) {
      if (columns[i].key == field.key && columns[i].kind == field.kind) return i;
    }
    if (columns.size() == column_count) columns.emplace_back();
    Column& column = columns[column_count];
    column.key = field.key;
    column.kind = field.kind;
    column.rows.clear();
    column.fields.clear();
    return static_cast<std::uint32_t>(column_count++);
  }

  void PutHeads(std::span<const Sample* const> samples) {
    auto put = [&](auto&& of) {
      values.clear();
      for (const Sample* sample : samples) values.push_back(of(*sample));
      PutInts(values, scratch, payload);
    };
    put([](const Sample& s) { return static_cast<std::uint64_t>(ToMillis(s.time)); });
    put([](const Sample& s) { return std::uint64_t{s.flags}; });
    put([](const Sample& s) { return s.report_id; });
    // Reporters: changes only.
    ByteWriter w(payload);
    std::string_view before;
    std::uint64_t changes = 0;
    for (const Sample* s : samples) {
      changes += s->reporter != before;
      before = s->reporter;
    }
    w.Varint(changes);
    before = {};
    std::uint32_t last = 0;
    for (std::uint32_t row = 0; row < samples.size(); ++row) {
      if (samples[row]->reporter == before) continue;
      before = samples[row]->reporter;
      w.Varint(row - last);
      w.Bytes(before);
      last = row;
    }
  }

  void PutScalars(std::span<const Sample* const> samples, const Column& column) {
    values.clear();
    for (std::size_t i = 0; i < column.rows.size(); ++i) {
      const Sample& sample = *samples[column.rows[i]];
      values.push_back(sample.words()[sample.fields()[column.fields[i]].first]);
    }
    if (column.kind == ValueKind::kNumber) PutScale();
    PutInts(values, scratch, stream);
  }

  void PutScale() {
    NumberScale found = kRawNumbers;
    for (NumberScale scale : {kWholes, kHundredths, kTenThousandths}) {
      codes.clear();
      for (std::uint64_t bits : values) {
        auto whole = Scaled(std::bit_cast<double>(bits), kScale[scale]);
        if (!whole) break;
        codes.push_back(static_cast<std::uint64_t>(*whole));
      }
      if (codes.size() != values.size()) continue;
      found = scale;
      values.swap(codes);
      break;
    }
    stream.push_back(static_cast<char>(found));
  }

  /// The slot near the hash of `bytes` whose number is the `same`, or an empty one; nothing if others took them all.
  template <class Same>
  std::optional<std::size_t> FindSlot(std::string_view bytes, const Same& same) const {
    std::size_t at = std::hash<std::string_view>()(bytes) & (slots.size() - 1);
    for (int step = 0; step < kMaxSteps; ++step, at = (at + 1) & (slots.size() - 1)) {
      if (slots[at] == 0 || same(slots[at])) return at;
    }
    return std::nullopt;
  }

  /// Number of `element` in the dictionary; 0 when it was not found there: it is then added.
  std::uint64_t Code() {
    auto stored = [this](std::uint32_t number) {
      return std::string_view(dictionary).substr(ends[number - 1], ends[number] - ends[number - 1]);
    };
    auto slot = FindSlot(element, [&](std::uint32_t number) { return stored(number) == element; });
    if (slot && slots[*slot] != 0) return slots[*slot];
    dictionary.append(element);
    ends.push_back(static_cast<std::uint32_t>(dictionary.size()));
    if (slot) slots[*slot] = static_cast<std::uint32_t>(ends.size() - 1);
    if (ends.size() * 2 < slots.size()) return 0;
    slots.assign(slots.size() * 4, 0);
    for (std::uint32_t number = 1; number < ends.size(); ++number) {
      if (auto free = FindSlot(stored(number), [](std::uint32_t) { return false; })) slots[*free] = number;
    }
    return 0;
  }

  /// Lists: lengths, a mask of what changed against the row before, and for each change a number: 0 for an element never
  /// seen in this column (its bytes follow in order in the dictionary), else 1 + its place there.
  void PutLists(std::span<const Sample* const> samples, const Column& column) {
    lengths.clear();
    codes.clear();
    mask.clear();
    dictionary.clear();
    ends.assign(1, 0);
    slots.assign(64, 0);
    const Sample* before = nullptr;
    const Sample::Field* before_field = nullptr;
    std::string same_rows((column.rows.size() + 7) / 8, '\0');
    for (std::size_t n = 0; n < column.rows.size(); ++n) {
      const Sample& sample = *samples[column.rows[n]];
      const Sample::Field& field = sample.fields()[column.fields[n]];
      std::uint32_t common = before_field ? std::min(before_field->count, field.count) : 0;
      std::uint32_t i = before_field ? FirstDifference(sample, field, *before, *before_field, common) : 0;
      if (before_field && i == field.count && field.count == before_field->count) {
        same_rows[n / 8] = static_cast<char>(same_rows[n / 8] | 1 << n % 8);
      } else {
        lengths.push_back(field.count);
        std::size_t mask_at = mask.size();
        mask.append((common + 7) / 8, '\0');
        for (; i < field.count; ++i) {
          if (i < common) {
            if (SameElement(sample, field, i, *before, *before_field, i)) continue;
            mask[mask_at + i / 8] = static_cast<char>(mask[mask_at + i / 8] | 1 << i % 8);
          }
          element.clear();
          PutElement(sample, field, i, element);
          codes.push_back(Code());
        }
      }
      before = &sample;
      before_field = &field;
    }
    ByteWriter w(stream);
    w.Raw(same_rows);
    PutInts(lengths, scratch, stream);
    w.Bytes(mask);
    w.Varint(codes.size());
    PutInts(codes, scratch, stream);
    w.Bytes(dictionary);
  }

  void PutColumn(std::span<const Sample* const> samples, const Column& column) {
    stream.clear();
    ByteWriter s(stream);
    if (column.rows.size() == samples.size()) {
      s.U8(0);
    } else {
      s.U8(1);
      s.Varint(column.rows.size());
      values.assign(column.rows.begin(), column.rows.end());
      PutInts(values, scratch, stream);
    }
    if (IsList(column.kind)) {
      PutLists(samples, column);
    } else {
      PutScalars(samples, column);
    }
    ByteWriter w(payload);
    w.Varint(column.key.metric);
    w.Varint(column.key.dimension);
    w.U8(static_cast<std::uint8_t>(column.kind));
    w.Bytes(stream);
  }

  std::string_view Frame() {
    block.clear();
    ByteWriter w(block);
    w.U8(kDayBlockVersion);
    if (payload.size() >= kSmallPayload) {
      std::size_t head = block.size();
      w.U8(kZstdForm);
      w.Varint(payload.size());
      std::size_t at = block.size(), bound = ZSTD_compressBound(payload.size());
      block.resize(at + bound);
      std::size_t got = ZSTD_compressCCtx(context, block.data() + at, bound, payload.data(), payload.size(), kLevel);
      if (!ZSTD_isError(got) && got < payload.size()) {
        block.resize(at + got);
        return block;
      }
      block.resize(head);
    }
    w.U8(kPlainForm);
    w.Raw(payload);
    return block;
  }
};

DayEncoder::DayEncoder() : impl_(std::make_unique<Impl>()) {}
DayEncoder::~DayEncoder() = default;

std::string_view DayEncoder::Encode(std::span<const Sample* const> samples) {
  Impl& e = *impl_;
  e.Collect(samples);
  e.payload.clear();
  ByteWriter w(e.payload);
  w.Varint(samples.size());
  e.PutHeads(samples);
  w.Varint(e.column_count);
  for (std::size_t i = 0; i < e.column_count; ++i) e.PutColumn(samples, e.columns[i]);
  return e.Frame();
}

struct DayDecoder::Impl {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  std::string payload;
  std::vector<std::uint64_t> values, rows, lengths, codes;
  std::vector<std::string_view> dictionary;
  std::uint64_t elements_left = 0;

  ~Impl() { ZSTD_freeDCtx(context); }

  Result<std::string_view> Open(std::string_view block) {
    ByteReader in(block);
    if (in.U8() != kDayBlockVersion) return Nonsense();
    std::uint8_t form = in.U8();
    if (form == kPlainForm) return in.Raw(in.remaining());
    std::uint64_t size = in.Varint();
    std::string_view frame = in.Raw(in.remaining());
    // zstd says itself how much comes out: a lie about the size costs no memory.
    if (!in.ok() || form != kZstdForm || size > kMaxDayBytes ||
        ZSTD_getFrameContentSize(frame.data(), frame.size()) != size) {
      return Nonsense();
    }
    if (size / 4096 > frame.size()) return Nonsense();
    payload.resize(size);
    std::size_t got = ZSTD_decompressDCtx(context, payload.data(), size, frame.data(), frame.size());
    if (ZSTD_isError(got) || got != size) return Nonsense();
    return std::string_view(payload);
  }

  bool GetHeads(ByteReader& in, std::span<Sample> out) {
    if (!GetInts(in, out.size(), values)) return false;
    for (std::size_t i = 0; i < out.size(); ++i) out[i].time = FromMillis(static_cast<std::int64_t>(values[i]));
    if (!GetInts(in, out.size(), values)) return false;
    for (std::size_t i = 0; i < out.size(); ++i) out[i].flags = static_cast<std::uint32_t>(values[i]);
    if (!GetInts(in, out.size(), values)) return false;
    for (std::size_t i = 0; i < out.size(); ++i) out[i].report_id = values[i];
    std::uint64_t changes = in.Varint();
    std::size_t row = 0;
    std::string_view reporter;
    for (; changes > 0 && in.ok(); --changes) {
      std::uint64_t step = in.Varint();
      std::string_view next = in.Bytes();
      if (!in.ok() || step >= out.size() - row) return false;
      for (std::uint64_t i = 0; i < step; ++i) out[row++].reporter = reporter;
      reporter = next;
    }
    for (; row < out.size(); ++row) out[row].reporter = reporter;
    return in.ok();
  }

  bool GetScalars(ByteReader& in, SeriesKey key, ValueKind kind, std::span<Sample> out) {
    std::uint8_t scale = kind == ValueKind::kNumber ? in.U8() : std::uint8_t{kRawNumbers};
    if (scale > kTenThousandths || !GetInts(in, rows.size(), values)) return false;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Sample& sample = out[rows[i]];
      if (kind == ValueKind::kCount) {
        sample.AddCount(key, static_cast<std::int64_t>(values[i]));
      } else if (scale == kRawNumbers) {
        sample.AddNumber(key, std::bit_cast<double>(values[i]));
      } else {
        sample.AddNumber(key, static_cast<double>(static_cast<std::int64_t>(values[i])) / kScale[scale]);
      }
    }
    return true;
  }

  bool GetDictionary(std::string_view bytes, ValueKind kind) {
    dictionary.clear();
    ByteReader in(bytes);
    Sample scratch;
    while (!in.AtEnd()) {
      std::string_view rest = bytes.substr(bytes.size() - in.remaining());
      scratch.Clear();
      if (!GetElement(in, kind, scratch)) return false;
      dictionary.push_back(rest.substr(0, rest.size() - in.remaining()));
    }
    return true;
  }

  bool GetLists(ByteReader& in, SeriesKey key, ValueKind kind, std::span<Sample> out) {
    std::string_view same_rows = in.Raw((rows.size() + 7) / 8);
    if (!in.ok()) return false;
    auto same = [&](std::size_t n) { return (same_rows[n / 8] >> n % 8 & 1) != 0; };
    std::size_t different = 0;
    for (std::size_t n = 0; n < rows.size(); ++n) different += !same(n);
    if (!GetInts(in, different, lengths)) return false;
    std::string_view mask = in.Bytes();
    std::uint64_t code_count = in.Varint();
    if (!in.ok() || code_count > elements_left || !GetInts(in, code_count, codes)) return false;
    if (!GetDictionary(in.Bytes(), kind) || !in.ok()) return false;
    std::size_t next_length = 0, next_code = 0, next_mask = 0, next_fresh = 0;
    const Sample* before = nullptr;
    Sample::Field before_field{};
    for (std::size_t n = 0; n < rows.size(); ++n) {
      Sample& sample = out[rows[n]];
      if (same(n) && before == nullptr) return false;
      std::uint64_t count = same(n) ? before_field.count : lengths[next_length++];
      if (count > kMaxListElements || count > elements_left) return false;
      elements_left -= count;
      std::uint32_t common = before ? static_cast<std::uint32_t>(std::min<std::uint64_t>(before_field.count, count)) : 0;
      std::string_view changes;
      if (!same(n)) {
        if (next_mask + (common + 7) / 8 > mask.size()) return false;
        changes = mask.substr(next_mask, (common + 7) / 8);
        next_mask += changes.size();
      }
      auto first = static_cast<std::uint32_t>(kind == ValueKind::kCidrs     ? sample.prefixes().size()
                                              : kind == ValueKind::kStrings ? sample.string_count()
                                                                            : sample.words().size());
      if (same(n)) CopyElements(*before, before_field, common, sample);
      for (std::uint32_t i = same(n) ? common : 0; i < count; ++i) {
        if (i < common && !(changes[i / 8] >> i % 8 & 1)) {
          CopyElement(*before, before_field, i, sample);
          continue;
        }
        if (next_code >= codes.size()) return false;
        std::uint64_t code = codes[next_code++];
        std::uint64_t place = code == 0 ? next_fresh++ : code - 1;
        if (place >= dictionary.size()) return false;
        ByteReader element(dictionary[place]);
        if (!GetElement(element, kind, sample)) return false;
      }
      sample.AddField(key, kind, first, static_cast<std::uint32_t>(count));
      before = &sample;
      before_field = sample.fields().back();
    }
    return true;
  }

  bool GetColumn(ByteReader& in, SeriesKey key, ValueKind kind, std::span<Sample> out) {
    std::uint8_t partial = in.U8();
    std::uint64_t count = partial ? in.Varint() : out.size();
    if (!in.ok() || count > out.size()) return false;
    if (partial) {
      if (!GetInts(in, count, rows)) return false;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i] >= out.size() || (i > 0 && rows[i] <= rows[i - 1])) return false;
      }
    } else {
      rows.resize(out.size());
      for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i;
    }
    return IsList(kind) ? GetLists(in, key, kind, out) : GetScalars(in, key, kind, out);
  }
};

DayDecoder::DayDecoder() : impl_(std::make_unique<Impl>()) {}
DayDecoder::~DayDecoder() = default;

Status DayDecoder::Decode(std::string_view block, const model::EntityId& entity, Source source, const SeriesKey* only,
                          std::vector<Sample>& samples, std::size_t& used) {
  FW_ASSIGN(std::string_view payload, impl_->Open(block));
  ByteReader in(payload);
  std::uint64_t count = in.Varint();
  if (!in.ok() || count == 0 || count > kMaxDaySamples) return Nonsense();
  // Elements of lists that did not change cost no bytes, so they are bounded apart.
  impl_->elements_left = kMaxDayElements + kMaxListElements;
  if (samples.size() < used + count) samples.resize(used + count);
  std::span<Sample> out(samples.data() + used, count);
  for (Sample& sample : out) {
    sample.Clear();
    sample.entity = entity;
    sample.source = source;
  }
  if (!impl_->GetHeads(in, out)) return Nonsense();
  std::uint64_t columns = in.Varint();
  if (!in.ok() || columns > kMaxColumns) return Nonsense();
  for (std::uint64_t i = 0; i < columns; ++i) {
    SeriesKey key;
    key.metric = static_cast<model::MetricId>(in.Varint());
    key.dimension = static_cast<std::uint32_t>(in.Varint());
    std::uint8_t kind = in.U8();
    std::string_view stream = in.Bytes();
    if (!in.ok() || kind > static_cast<std::uint8_t>(ValueKind::kStrings)) return Nonsense();
    if (only != nullptr && *only != key) continue;
    ByteReader column(stream);
    if (!impl_->GetColumn(column, key, static_cast<ValueKind>(kind), out)) return Nonsense();
  }
  used += count;
  return {};
}

}  // namespace fleetward::telemetry
