#include "fleetward/crypto/secret_box.h"

#include "fleetward/base/encoding.h"
#include "fleetward/base/file.h"
#include "fleetward/crypto/digest.h"
#include "openssl.h"

namespace fleetward::crypto {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kOverhead = 1 + kNonceBytes + kTagBytes;

using CipherHandle = std::unique_ptr<EVP_CIPHER_CTX, Freer<EVP_CIPHER_CTX_free>>;

const unsigned char* Raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* Raw(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

Result<SecretBox> SecretBox::OpenOrCreate(const std::string& path) {
  auto text = ReadFile(path, 1024);
  if (!text.ok()) {
    if (text.error().code() != Code::kNotFound) return std::move(text).error();
    std::string key = RandomBytes(32);
    FW_TRY(WriteFileAtomic(path, HexEncode(key) + "\n", 0600));
    return SecretBox(std::move(key));
  }
  while (!text->empty() && text->back() == '\n') text->pop_back();
  auto key = HexDecode(*text);
  if (!key || key->size() != 32) return Error(Code::kCorrupt, path + " does not hold a key");
  return SecretBox(std::move(*key));
}

std::string SecretBox::Seal(std::string_view secret, std::string_view context) const {
  std::string nonce = RandomBytes(kNonceBytes), cipher(secret.size(), '\0'), tag(kTagBytes, '\0');
  CipherHandle handle(EVP_CIPHER_CTX_new());
  int size = 0;
  EVP_EncryptInit_ex(handle.get(), EVP_aes_256_gcm(), nullptr, Raw(std::string_view(key_)), Raw(std::string_view(nonce)));
  EVP_EncryptUpdate(handle.get(), nullptr, &size, Raw(context), static_cast<int>(context.size()));
  EVP_EncryptUpdate(handle.get(), Raw(cipher), &size, Raw(secret), static_cast<int>(secret.size()));
  EVP_EncryptFinal_ex(handle.get(), Raw(cipher) + size, &size);
  EVP_CIPHER_CTX_ctrl(handle.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data());
  return std::string(1, kVersion) + nonce + cipher + tag;
}

Result<std::string> SecretBox::Open(std::string_view sealed, std::string_view context) const {
  Error damaged(Code::kCorrupt, "a sealed secret cannot be opened");
  if (sealed.size() < kOverhead || sealed[0] != kVersion) return damaged;
  std::string_view nonce = sealed.substr(1, kNonceBytes);
  std::string_view cipher = sealed.substr(1 + kNonceBytes, sealed.size() - kOverhead);
  std::string tag(sealed.substr(sealed.size() - kTagBytes)), secret(cipher.size(), '\0');
  CipherHandle handle(EVP_CIPHER_CTX_new());
  int size = 0;
  EVP_DecryptInit_ex(handle.get(), EVP_aes_256_gcm(), nullptr, Raw(std::string_view(key_)), Raw(nonce));
  EVP_DecryptUpdate(handle.get(), nullptr, &size, Raw(context), static_cast<int>(context.size()));
  EVP_DecryptUpdate(handle.get(), Raw(secret), &size, Raw(cipher), static_cast<int>(cipher.size()));
  EVP_CIPHER_CTX_ctrl(handle.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data());
  if (EVP_DecryptFinal_ex(handle.get(), Raw(secret) + size, &size) != 1) {
    ERR_clear_error();
    return damaged;
  }
  return secret;
}

}  // namespace fleetward::crypto
