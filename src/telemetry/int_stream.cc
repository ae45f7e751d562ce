#include "int_stream.h"

#include <algorithm>
#include <bit>

#include "element.h"

namespace fleetward::telemetry {
namespace {

// Stream heads: the low four bits say how wide the integers are (0 to 8 bytes), the others how they are coded.
enum Coding : std::uint8_t { kPlain = 0, kSigned = 1, kDifferences = 2, kSecondDifferences = 3, kConstant = 4 };

unsigned Width(std::uint64_t all_bits) {
  return all_bits == 0 ? 0 : (static_cast<unsigned>(std::bit_width(all_bits)) + 7) / 8;
}

void PutPlanes(std::span<const std::uint64_t> values, unsigned width, std::string& out) {
  std::size_t at = out.size();
  out.resize(at + values.size() * width);
  for (unsigned plane = 0; plane < width; ++plane) {
    for (std::uint64_t value : values) out[at++] = static_cast<char>(value >> (8 * plane));
  }
}

}  // namespace

void PutInts(std::span<const std::uint64_t> values, std::vector<std::uint64_t>& scratch, std::string& out) {
  if (values.empty()) return;
  std::uint64_t plain = 0, sign = 0;
  bool constant = true;
  for (std::uint64_t value : values) {
    plain |= value;
    sign |= ZigZag(static_cast<std::int64_t>(value));
    constant &= value == values[0];
  }
  ByteWriter w(out);
  if (constant) {
    w.U8(kConstant << 4);
    w.Varint(values[0]);
    return;
  }
  // Differences: the first value stands apart, so it does not widen the planes.
  auto differences = [&](int order) {
    scratch.assign(values.begin(), values.end());
    for (int round = 0; round < order; ++round) {
      for (std::size_t i = scratch.size() - 1; i > static_cast<std::size_t>(round); --i) scratch[i] -= scratch[i - 1];
    }
    std::uint64_t bits = 0;
    for (std::size_t i = static_cast<std::size_t>(order); i < scratch.size(); ++i) {
      scratch[i] = ZigZag(static_cast<std::int64_t>(scratch[i]));
      bits |= scratch[i];
    }
    return Width(bits);
  };
  unsigned plain_width = Width(plain), signed_width = Width(sign);
  unsigned best = std::min(plain_width, signed_width);
  unsigned first_width = best > 1 ? differences(1) : 9;
  unsigned second_width = best > 1 && values.size() > 2 ? differences(2) : 9;
  if (second_width < first_width && second_width < best) {
    w.U8(static_cast<std::uint8_t>(kSecondDifferences << 4 | second_width));
    w.Varint(scratch[0]);
    w.Varint(scratch[1]);
    PutPlanes(std::span(scratch).subspan(2), second_width, out);
  } else if (first_width < best) {
    differences(1);
    w.U8(static_cast<std::uint8_t>(kDifferences << 4 | first_width));
    w.Varint(scratch[0]);
    PutPlanes(std::span(scratch).subspan(1), first_width, out);
  } else if (signed_width < plain_width) {
    scratch.clear();
    for (std::uint64_t value : values) scratch.push_back(ZigZag(static_cast<std::int64_t>(value)));
    w.U8(static_cast<std::uint8_t>(kSigned << 4 | signed_width));
    PutPlanes(scratch, signed_width, out);
  } else {
    w.U8(static_cast<std::uint8_t>(kPlain << 4 | plain_width));
    PutPlanes(values, plain_width, out);
  }
}

bool GetInts(ByteReader& in, std::size_t count, std::vector<std::uint64_t>& values) {
  values.clear();
  if (count == 0) return true;
  std::uint8_t head = in.U8();
  unsigned coding = head >> 4, width = head & 15;
  if (!in.ok() || coding > kConstant || width > 8) return false;
  if (coding == kConstant) {
    std::uint64_t value = in.Varint();
    if (!in.ok()) return false;
    values.assign(count, value);
    return true;
  }
  std::size_t heads = coding == kDifferences ? 1 : coding == kSecondDifferences ? 2 : 0;
  if (count < heads) return false;
  for (std::size_t i = 0; i < heads; ++i) values.push_back(in.Varint());
  std::size_t rest = count - heads;
  if (width > 0 && rest > in.remaining() / width) return false;
  std::string_view planes = in.Raw(rest * width);
  if (!in.ok()) return false;
  values.resize(count, 0);
  for (unsigned plane = 0; plane < width; ++plane) {
    const char* at = planes.data() + plane * rest;
    for (std::size_t i = 0; i < rest; ++i) {
      values[heads + i] |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * plane);
    }
  }
  if (coding != kPlain) {
    for (std::size_t i = heads; i < count; ++i) values[i] = static_cast<std::uint64_t>(UnZigZag(values[i]));
  }
  if (coding == kDifferences) {
    for (std::size_t i = 1; i < count; ++i) values[i] += values[i - 1];
  } else if (coding == kSecondDifferences) {
    std::uint64_t step = values[1];
    values[1] += values[0];
    for (std::size_t i = 2; i < count; ++i) {
      step += values[i];
      values[i] = values[i - 1] + step;
    }
  }
  return true;
}

}  // namespace fleetward::telemetry
