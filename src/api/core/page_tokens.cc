#include "page_tokens.h"

#include "fleetward/base/encoding.h"
#include "fleetward/crypto/digest.h"

namespace fleetward::api {
namespace {

constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kMaxTokenBytes = 8192;
constexpr char kVersion = 1;

}  // namespace

std::string PageTokens::Mac(std::string_view owner, std::string_view position) const {
  std::string covered;
  ByteWriter writer(covered);
  writer.U8(kVersion);
  writer.Bytes(owner);
  writer.Bytes(position);
  return crypto::HmacSha256(key_, covered).substr(0, kMacBytes);
}

std::string PageTokens::Make(std::string_view owner, std::string_view position) const {
  std::string bytes(1, kVersion);
  bytes += Mac(owner, position);
  bytes += position;
  return Base64Encode(bytes);
}

Result<std::string> PageTokens::Read(std::string_view owner, std::string_view token) const {
  Error invalid(Code::kInvalidArgument, "The page token is invalid: it belongs to another listing or was changed");
  if (token.size() > kMaxTokenBytes) return invalid;
  std::optional<std::string> bytes = Base64Decode(token);
  if (!bytes || bytes->size() < 1 + kMacBytes || (*bytes)[0] != kVersion) return invalid;
  std::string position = bytes->substr(1 + kMacBytes);
  if (!crypto::ConstantTimeEquals(bytes->substr(1, kMacBytes), Mac(owner, position))) return invalid;
  return position;
}

}  // namespace fleetward::api
