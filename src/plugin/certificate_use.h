// What one certificate takes of the broker: hard caps with flat memory (threats.md g).
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "fleetward/policy/snapshot_state.h"
#include "options.h"

namespace fleetward::plugin {

struct CertificateUse {
  std::uint64_t online = 0;
  /// Hash of each client id with a persistent session -> event time at which the broker forgets it.
  std::unordered_map<std::uint64_t, std::int64_t> sessions;
  std::unordered_set<std::uint64_t> retained;  // hashes of topics
  /// Somebody with this certificate subscribed to answers of reports.
  bool reads_answers = false;
};

class CertificateUses {
 public:
  explicit CertificateUses(const Options& options) : options_(options) {}

  /// Counts a connection in, unless that breaks a cap. `replaces`: a live connection of the same client id ends.
  bool Connect(const policy::Fingerprint& fingerprint, std::string_view client_id, bool persistent, bool replaces);
  void Disconnect(const policy::Fingerprint& fingerprint, std::string_view client_id, bool persistent,
                  std::int64_t now_ms);
  /// False when the certificate holds its number of retained topics already. An empty payload frees the topic.
  bool Retain(const policy::Fingerprint& fingerprint, std::string_view topic, bool empty);
  /// Answers to reports are wanted by somebody with this certificate, until it holds nothing any more.
  void SetReadsAnswers(const policy::Fingerprint& fingerprint);
  bool ReadsAnswers(const policy::Fingerprint& fingerprint) const;
  /// Changes when some certificate begins to want answers.
  std::uint64_t answers_generation() const { return answers_generation_; }
  /// Forgets expired sessions and certificates that hold nothing. Now and then.
  void Prune(std::int64_t now_ms);
  std::size_t size() const { return uses_.size(); }

 private:
  const Options& options_;
  std::unordered_map<policy::Fingerprint, CertificateUse, policy::FingerprintHash> uses_;
  std::uint64_t answers_generation_ = 1;
};

}  // namespace fleetward::plugin
