// Access keys: kept sealed in the control store, held open in memory for verification.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/access/principal.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/result.h"
#include "fleetward/crypto/secret_box.h"
#include "fleetward/store/control_store.h"

namespace fleetward::access {

/// What may be shown of a key: never its secret.
struct AccessKey {
  std::string id;            // "AKFWABCDEFGHIJKLMNOP", 20 characters
  Role role = Role::kViewer;
  bool active = true;
  std::string description;
  Timestamp created{};
  std::optional<Timestamp> last_used;  // to the minute
  std::optional<Timestamp> expires;    // refused from then on
  std::vector<std::string> scope;      // thing groups; empty: none
};

/// A new key; the secret is never shown again.
struct NewAccessKey {
  std::string id;
  std::string secret;        // 40 characters
};

/// What a key is made with.
struct KeyOptions {
  Role role = Role::kViewer;
  std::string description;             // at most 256 characters
  std::vector<std::string> scope;      // at most 10 thing groups; not for admins
  std::optional<Timestamp> expires;
};

/// What verification needs.
struct KeySecret {
  std::string secret;
  Role role = Role::kViewer;
  bool active = false;
  std::optional<Timestamp> expires;
  std::shared_ptr<const Scope> scope;
};

/// Thread-safe. Changes are durable and in force when a call returns: a disabled key's next call fails (threats.md v).
class KeyStore {
 public:
  /// Reads all keys. `store` and `clock` outlive the object. `box` seals the secrets (key in DIR/secret, D34).
  /// Errors: the store's; kCorrupt when a secret cannot be opened with this box.
  static Result<std::unique_ptr<KeyStore>> Open(store::ControlStore& store, crypto::SecretBox box, const Clock& clock);
  ~KeyStore();

  Result<NewAccessKey> Create(Role role, std::string_view description, std::string_view actor);
  /// Errors: kInvalidArgument (description, scope, an expiry that is past), kLimitExceeded (1,000 keys).
  Result<NewAccessKey> Create(const KeyOptions& options, std::string_view actor);
  /// A successor with the same role, scope and description. The old key works for `grace` longer.
  /// Errors: kNotFound; kInvalidState for a key that is disabled or has expired.
  Result<NewAccessKey> Rotate(std::string_view id, Millis grace, std::string_view actor);
  /// Creates a key only when there is none yet; nothing otherwise. For the first start.
  Result<std::optional<NewAccessKey>> CreateFirst();
  /// Errors: kNotFound; kConflict when no admin key without an end would be left.
  Status SetActive(std::string_view id, bool active, std::string_view actor);
  Status Delete(std::string_view id, std::string_view actor);
  Result<std::vector<AccessKey>> List() const;

  std::optional<KeySecret> Find(std::string_view id) const;
  /// Remembers a use; writes at most once a minute and key. Called after a verified call; a failed write is no error.
  void Used(std::string_view id);

 private:
  struct State;
  explicit KeyStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fleetward::access
