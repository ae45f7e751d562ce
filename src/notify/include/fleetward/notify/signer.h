// Signs messages for http(s) and email-json endpoints, so that they can tell ours from forged ones (reference: core.md §9).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/clock.h"
#include "fleetward/base/result.h"

namespace fleetward::crypto {
class CertificateAuthority;
class PrivateKey;
}  // namespace fleetward::crypto

namespace fleetward::notify {

struct Signature {
  std::string base64;
  std::string certificate_url;
};

/// An RSA-2048 key in FOLDER/current.key (0600) with a certificate of the local CA, made at the first signature. A month
/// before the certificate's end (it lives 13) both are replaced; certificates of former keys stay in FOLDER and are
/// served until they end, so that kept messages can be verified. Thread-safe.
class MessageSigner {
 public:
  /// `base_url`: of the certificate's address, without a trailing slash. References outlive the object.
  MessageSigner(std::string folder, std::string base_url, const crypto::CertificateAuthority& ca, const Clock& clock);
  ~MessageSigner();

  /// `version` 1: SHA1withRSA, 2: SHA256withRSA. Errors: kIo, kUnavailable (key cannot be stored), kInternal.
  Result<Signature> Sign(std::string_view text, int version);
  /// The PEM of "SimpleNotificationService-….pem", or nothing.
  std::optional<std::string> CertificatePem(std::string_view file_name);

 private:
  struct Current;
  Status Load();
  Status Renew();
  Status EnsureCurrent();

  const std::string folder_, base_url_;
  const crypto::CertificateAuthority& ca_;
  const Clock& clock_;
  std::mutex mutex_;
  bool loaded_ = false;
  std::unique_ptr<Current> current_;
  std::map<std::string, std::string, std::less<>> certificates_;  // file name, PEM
};

}  // namespace fleetward::notify
