#include "certificate_use.h"

#include <limits>

namespace fleetward::plugin {
namespace {

std::uint64_t HashOf(std::string_view text) { return std::hash<std::string_view>{}(text); }

}  // namespace

bool CertificateUses::Connect(const policy::Fingerprint& fingerprint, std::string_view client_id, bool persistent,
                              bool replaces) {
  CertificateUse& use = uses_[fingerprint];
  std::uint64_t key = HashOf(client_id);
  bool known = use.sessions.contains(key);
  bool full = (!replaces && use.online >= options_.max_clients_per_certificate) ||
              (persistent && !known && use.sessions.size() >= options_.max_sessions_per_certificate);
  if (full) return false;
  ++use.online;
  if (persistent) {
    use.sessions[key] = std::numeric_limits<std::int64_t>::max();
  } else {
    use.sessions.erase(key);  // a clean start ends the old session
  }
  return true;
}

void CertificateUses::Disconnect(const policy::Fingerprint& fingerprint, std::string_view client_id, bool persistent,
                                 std::int64_t now_ms) {
  auto it = uses_.find(fingerprint);
  if (it == uses_.end()) return;
  if (it->second.online > 0) --it->second.online;
  if (!persistent) return;
  auto session = it->second.sessions.find(HashOf(client_id));
  if (session != it->second.sessions.end()) session->second = now_ms + options_.session_expiry_seconds * 1000;
}

bool CertificateUses::Retain(const policy::Fingerprint& fingerprint, std::string_view topic, bool empty) {
  CertificateUse& use = uses_[fingerprint];
  std::uint64_t key = HashOf(topic);
  if (empty) {
    use.retained.erase(key);
    return true;
  }
  if (use.retained.contains(key)) return true;
  if (use.retained.size() >= options_.max_retained_per_certificate) return false;
  use.retained.insert(key);
  return true;
}

void CertificateUses::SetReadsAnswers(const policy::Fingerprint& fingerprint) {
  CertificateUse& use = uses_[fingerprint];
  if (!use.reads_answers) ++answers_generation_;
  use.reads_answers = true;
}

bool CertificateUses::ReadsAnswers(const policy::Fingerprint& fingerprint) const {
  auto it = uses_.find(fingerprint);
  return it != uses_.end() && it->second.reads_answers;
}

void CertificateUses::Prune(std::int64_t now_ms) {
  for (auto it = uses_.begin(); it != uses_.end();) {
    CertificateUse& use = it->second;
    std::erase_if(use.sessions, [&](const auto& session) { return session.second <= now_ms; });
    bool unused = use.online == 0 && use.sessions.empty() && use.retained.empty();
    it = unused ? uses_.erase(it) : std::next(it);
  }
}

}  // namespace fleetward::plugin
