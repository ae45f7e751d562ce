#include "openssl.h"

namespace fleetward::crypto {

BioHandle ReadBio(std::string_view text) {
  return BioHandle(BIO_new_mem_buf(text.data() ? text.data() : "", static_cast<int>(text.size())));
}

std::string BioText(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

int NoPassword(char*, int, int, void*) { return -1; }

Error OpensslError(std::string_view doing) {
  char reason[256] = "";
  unsigned long code = ERR_get_error();
  if (code != 0) ERR_error_string_n(code, reason, sizeof reason);
  ERR_clear_error();
  return Error(Code::kInternal, std::string(doing) + " failed").WithDetail(reason);
}

KeyStrength StrengthOf(const EVP_PKEY* key) {
  KeyStrength strength;
  if (!key) return strength;
  strength.bits = EVP_PKEY_get_bits(key);
  if (EVP_PKEY_is_a(key, "RSA")) {
    strength.kind = KeyKind::kRsa;
  } else if (EVP_PKEY_is_a(key, "EC")) {
    char group[64] = "";
    std::size_t size = 0;
    EVP_PKEY_get_group_name(key, group, sizeof group, &size);
    std::string_view name(group, size);
    if (name == "prime256v1") strength.kind = KeyKind::kEcP256;
    if (name == "secp384r1") strength.kind = KeyKind::kEcP384;
    if (name == "secp521r1") strength.kind = KeyKind::kEcP521;
  }
  return strength;
}

}  // namespace fleetward::crypto
