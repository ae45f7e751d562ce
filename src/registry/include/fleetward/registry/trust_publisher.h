// Keeps the brokers' folder of trusted CAs as the registry has them.
#pragma once

#include <string>

#include "fleetward/registry/changes.h"
#include "fleetward/store/control_store.h"

namespace fleetward::registry {

/// A CA stays trusted as long as it is registered, active or not: whether a certificate may connect is decided by the
/// certificate's own registration. A file that could not be written is tried again at the next start, and logged.
class TrustPublisher final : public ChangeListener {
 public:
  explicit TrustPublisher(std::string folder) : folder_(std::move(folder)) {}

  /// Adds what is missing and removes what is no longer registered.
  Status Start(const store::ControlStore& store);
  void OnChanges(std::span<const Change> changes) override;

 private:
  const std::string folder_;
};

}  // namespace fleetward::registry
