#include "element.h"

#include <cstring>

namespace fleetward::telemetry {
namespace {

using model::ValueKind;

enum AddressForm : std::uint8_t { kV4 = 0, kV4Prefix = 1, kV6 = 2, kV6Prefix = 3 };

}  // namespace

void PutElement(const Sample& sample, const Sample::Field& field, std::uint32_t i, std::string& out) {
  ByteWriter w(out);
  switch (field.kind) {
    case ValueKind::kPorts: w.U16(static_cast<std::uint16_t>(sample.words()[field.first + i])); return;
    case ValueKind::kStrings: w.Bytes(sample.String(field.first + i)); return;
    case ValueKind::kCidrs: {
      const model::IpPrefix& prefix = sample.prefixes()[field.first + i];
      bool v4 = prefix.address.IsV4() && prefix.length >= 96, full = prefix.length == 128;
      w.U8(static_cast<std::uint8_t>((v4 ? kV4 : kV6) + (full ? 0 : 1)));
      const char* bytes = reinterpret_cast<const char*>(prefix.address.bytes.data());
      w.Raw(v4 ? std::string_view(bytes + 12, 4) : std::string_view(bytes, 16));
      if (!full) w.U8(prefix.length);
      return;
    }
    default: w.U64(sample.words()[field.first + i]); return;
  }
}

void PutElements(const Sample& sample, const Sample::Field& field, std::string& out) {
  if (field.kind == ValueKind::kStrings || field.kind == ValueKind::kCidrs) {
    for (std::uint32_t i = 0; i < field.count; ++i) PutElement(sample, field, i, out);
    return;
  }
  const std::size_t width = field.kind == ValueKind::kPorts ? 2 : 8;
  std::size_t at = out.size();
  out.resize(at + width * field.count);
  for (std::uint64_t word : sample.words().subspan(field.first, field.count)) {
    for (std::size_t byte = 0; byte < width; ++byte) out[at++] = static_cast<char>(word >> (8 * byte));
  }
}

bool GetElement(ByteReader& in, ValueKind kind, Sample& out) {
  switch (kind) {
    case ValueKind::kPorts: out.mutable_words().push_back(in.U16()); return in.ok();
    case ValueKind::kStrings: out.AppendString(in.Bytes()); return in.ok();
    case ValueKind::kCidrs: {
      std::uint8_t form = in.U8();
      if (form > kV6Prefix) return false;
      model::IpPrefix prefix;
      bool v4 = form <= kV4Prefix;
      std::string_view raw = in.Raw(v4 ? 4 : 16);
      if (!in.ok()) return false;
      if (v4) prefix.address.bytes[10] = prefix.address.bytes[11] = 0xff;
      std::memcpy(prefix.address.bytes.data() + (v4 ? 12 : 0), raw.data(), raw.size());
      if (form == kV4Prefix || form == kV6Prefix) prefix.length = in.U8();
      if (!in.ok() || prefix.length > 128) return false;
      out.mutable_prefixes().push_back(prefix);
      return true;
    }
    default: out.mutable_words().push_back(in.U64()); return in.ok();
  }
}

bool GetElements(ByteReader& in, ValueKind kind, std::uint32_t count, Sample& out) {
  if (kind == ValueKind::kPorts) {
    std::string_view raw = in.Raw(std::uint64_t{2} * count);
    for (std::size_t at = 0; at < raw.size(); at += 2) {
      auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(raw[at + i])); };
      out.mutable_words().push_back(byte(0) | byte(1) << 8);
    }
    return in.ok();
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!GetElement(in, kind, out)) return false;
  }
  return true;
}

void CopyElement(const Sample& from, const Sample::Field& field, std::uint32_t i, Sample& out) {
  switch (field.kind) {
    case ValueKind::kCidrs: out.mutable_prefixes().push_back(from.prefixes()[field.first + i]); return;
    case ValueKind::kStrings: out.AppendString(from.String(field.first + i)); return;
    default: out.mutable_words().push_back(from.words()[field.first + i]); return;
  }
}

void CopyElements(const Sample& from, const Sample::Field& field, std::uint32_t count, Sample& out) {
  auto append = [&](auto list, auto& to) {
    auto part = list.subspan(field.first, count);
    to.insert(to.end(), part.begin(), part.end());
  };
  switch (field.kind) {
    case ValueKind::kCidrs: append(from.prefixes(), out.mutable_prefixes()); return;
    case ValueKind::kStrings:
      for (std::uint32_t i = 0; i < count; ++i) out.AppendString(from.String(field.first + i));
      return;
    default: append(from.words(), out.mutable_words()); return;
  }
}

}  // namespace fleetward::telemetry
