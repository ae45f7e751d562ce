// Which TLS clients' certificates a program takes, decided here instead of by the trust store of the TLS library's
// contexts: those read a CA once and never again, and do not say which certificate they refused.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::crypto {

using PeerFingerprint = std::array<std::uint8_t, 32>;  // SHA-256 of the DER form

/// What is known of a certificate before its chain is looked at.
enum class PeerStanding : std::uint8_t {
  kUnknown,   // the chain decides
  kVouched,   // registered under a CA: the key's possession is enough, whatever became of that CA
  kAlone,     // registered without one: the chain decides, and the refusal is told apart
};

/// While one exists, it decides for every TLS context that this process makes afterwards. A chain holds when it ends in
/// a certificate of the folder (form of `capath`), which need not be a root; changes of the folder count at the next
/// handshake. At most one exists. `standing` and `refused` run on the thread of the handshake.
class PeerVerifier {
 public:
  struct Questions {
    std::function<PeerStanding(const PeerFingerprint&)> standing;
    /// A handshake is about to fail; `why` in OpenSSL's words.
    std::function<void(const PeerFingerprint&, PeerStanding, std::string_view why)> refused;
  };
  /// Errors: kInternal (the TLS library has no room, or there is one already).
  static Result<std::unique_ptr<PeerVerifier>> Install(std::string trust_folder, Questions questions);
  /// Contexts that were made meanwhile go on with their own trust store.
  ~PeerVerifier();
  PeerVerifier(const PeerVerifier&) = delete;
  PeerVerifier& operator=(const PeerVerifier&) = delete;

  struct Impl;

 private:
  explicit PeerVerifier(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fleetward::crypto
