// Authenticated encryption of small secrets at rest (AES-256-GCM; decision 34).
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::crypto {

class SecretBox {
 public:
  /// `key` is 32 bytes.
  explicit SecretBox(std::string key) : key_(std::move(key)) {}
  /// The key in the file `path` (64 hex digits, mode 0600), made when absent. Errors: kIo, kCorrupt.
  static Result<SecretBox> OpenOrCreate(const std::string& path);

  /// Version byte 1, 12 random bytes, ciphertext, 16-byte tag. `context` is bound but not stored: pass the owner's
  /// key, so that a sealed value cannot be moved to another row.
  std::string Seal(std::string_view secret, std::string_view context) const;
  /// Error: kCorrupt (other key, other context, changed bytes).
  Result<std::string> Open(std::string_view sealed, std::string_view context) const;

 private:
  std::string key_;
};

}  // namespace fleetward::crypto
