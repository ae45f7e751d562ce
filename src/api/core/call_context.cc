#include "fleetward/api/core/call_context.h"

#include <cassert>

#include "fleetward/base/encoding.h"
#include "page_tokens.h"

namespace fleetward::api {
namespace {

/// Who may redeem a token: the same operation under the same key, for the same binding.
std::string Owner(const CallContext& context, std::string_view binding) {
  std::string owner;
  ByteWriter writer(owner);
  writer.Bytes(context.operation ? context.operation->service : "");
  writer.Bytes(context.operation ? context.operation->name : "");
  writer.Bytes(context.principal ? context.principal->access_key_id : "");
  writer.Bytes(context.account());
  writer.Bytes(binding);
  return owner;
}

}  // namespace

std::string CallContext::MakePageToken(std::string_view position, std::string_view binding) const {
  assert(page_tokens);
  return page_tokens->Make(Owner(*this, binding), position);
}

Result<std::string> CallContext::ReadPageToken(const std::optional<std::string>& token,
                                               std::string_view binding) const {
  if (!token || token->empty()) return std::string();
  assert(page_tokens);
  return page_tokens->Read(Owner(*this, binding), *token);
}

}  // namespace fleetward::api
