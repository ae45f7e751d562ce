#include <algorithm>

#include "fleetward/notify/email.h"

namespace fleetward::notify {
namespace {

bool IsAtomCharacter(unsigned char c) {
  static constexpr std::string_view kExtra = "!#$%&'*+-/=?^_`{|}~.";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kExtra.find(static_cast<char>(c)) != std::string_view::npos;
}

bool IsDomainCharacter(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

}  // namespace

Status CheckEmailAddress(std::string_view address) {
  auto bad = [](std::string_view why) { return Error(Code::kInvalidArgument, "not an e-mail address: " + std::string(why)); };
  if (address.size() > 254) return bad("longer than 254 bytes");
  std::size_t at = address.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return bad("needs local@domain");
  std::string_view local = address.substr(0, at);
  std::string_view domain = address.substr(at + 1);
  if (!std::all_of(local.begin(), local.end(), IsAtomCharacter) || local.front() == '.' || local.back() == '.') {
    return bad("the part before @ has characters that are not allowed");
  }
  if (domain.empty() || domain.front() == '.' || domain.back() == '.' || domain.front() == '-' ||
      domain.find("..") != std::string_view::npos || !std::all_of(domain.begin(), domain.end(), IsDomainCharacter)) {
    return bad("the part after @ is no host name");
  }
  return {};
}

}  // namespace fleetward::notify
