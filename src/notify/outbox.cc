#include "fleetward/notify/outbox.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"

namespace fleetward::notify {
namespace {

using nlohmann::json;

constexpr store::Table kDeliveries{"outbox_deliveries"};  // key: delivery; value: JSON with its due time
constexpr store::Table kDue{"outbox_due"};                // key: due time (8 bytes), delivery key
constexpr store::Table kTaken{"outbox_taken"};            // key: message id; value: when (8 bytes)
constexpr store::Table kKept{"outbox_kept"};              // key: time, delivery key; value: the mail
constexpr store::Table kDead{"outbox_dead"};              // key: time, delivery key; value: delivery JSON
constexpr auto kRemember = std::chrono::hours(48);
constexpr std::size_t kKeptLimit = 1000;

std::string TimeKey(Timestamp t) {
  auto ms = static_cast<std::uint64_t>(ToMillis(t));
  std::string key(8, '\0');
  for (int i = 0; i < 8; ++i) key[i] = static_cast<char>(ms >> (56 - 8 * i));
  return key;
}

Timestamp TimeOf(std::string_view key) {
  std::uint64_t ms = 0;
  for (std::size_t i = 0; i < 8 && i < key.size(); ++i) ms = ms << 8 | static_cast<unsigned char>(key[i]);
  return FromMillis(static_cast<std::int64_t>(ms));
}

std::string Encode(const Delivery& d, Timestamp due) {
  json j = {{"message", d.message_id.Hex()}, {"subscription", d.subscription_id.Hex()}, {"kind", d.kind},
            {"topic", d.topic}, {"protocol", d.protocol}, {"endpoint", d.endpoint}, {"sender", d.sender_name},
            {"subject", d.subject}, {"body", d.body}, {"footer", d.footer}, {"created", ToMillis(d.created)},
            {"attempts", d.attempts}, {"failure", d.last_failure}, {"due", ToMillis(due)}};
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Delivery> Decode(std::string_view text, Timestamp* due = nullptr) {
  json j = json::parse(text, nullptr, false);
  if (!j.is_object()) return std::nullopt;
  auto message = Id128::Parse(j.value("message", ""));
  auto subscription = Id128::Parse(j.value("subscription", ""));
  if (!message || !subscription) return std::nullopt;
  Delivery d;
  d.message_id = *message;
  d.subscription_id = *subscription;
  d.kind = j.value("kind", "");
  d.topic = j.value("topic", "");
  d.protocol = j.value("protocol", "");
  d.endpoint = j.value("endpoint", "");
  d.sender_name = j.value("sender", "");
  d.subject = j.value("subject", "");
  d.body = j.value("body", "");
  d.footer = j.value("footer", "");
  d.created = FromMillis(j.value("created", std::int64_t{0}));
  d.attempts = j.value("attempts", 0);
  d.last_failure = j.value("failure", "");
  if (due != nullptr) *due = FromMillis(j.value("due", std::int64_t{0}));
  return d;
}

// Takes a delivery out of the queue; false when it is not in it (any more).
Result<bool> Remove(store::Transaction& tx, const Delivery& delivery) {
  FW_ASSIGN(auto stored, tx.Get(kDeliveries, delivery.Key()));
  if (!stored) return false;
  Timestamp due{};
  if (!Decode(*stored, &due)) return Error(Code::kCorrupt, "a stored delivery cannot be read");
  FW_TRY(tx.Erase(kDeliveries, delivery.Key()));
  FW_TRY(tx.Erase(kDue, TimeKey(due) + delivery.Key()));
  return true;
}

Status Insert(store::Transaction& tx, const Delivery& delivery, Timestamp due) {
  FW_TRY(tx.Put(kDeliveries, delivery.Key(), Encode(delivery, due)));
  return tx.Put(kDue, TimeKey(due) + delivery.Key(), "");
}

Result<std::size_t> CountRows(const store::Reader& reader, const store::Table& table) {
  std::size_t count = 0;
  FW_TRY(reader.Scan(table, "", "", [&](std::string_view, std::string_view) {
    ++count;
    return true;
  }));
  return count;
}

}  // namespace

Result<bool> Outbox::Taken(const store::Reader& reader, const Id128& message_id) {
  FW_ASSIGN(auto taken, reader.Get(kTaken, message_id.Bytes()));
  return taken.has_value();
}

Status Outbox::Add(store::Transaction& tx, const Id128& message_id, const std::vector<Delivery>& deliveries) {
  FW_ASSIGN(bool taken, Taken(tx, message_id));
  if (taken) return {};
  Timestamp now = clock_.Now();
  FW_TRY(tx.Put(kTaken, message_id.Bytes(), TimeKey(now)));
  for (const Delivery& delivery : deliveries) FW_TRY(Insert(tx, delivery, now));
  if (!deliveries.empty()) {
    tx.AfterCommit([this] {
      std::lock_guard lock(mutex_);
      if (wake_) wake_();
    });
  }
  return {};
}

void Outbox::OnAdded(std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

Result<std::vector<Delivery>> Outbox::Due(std::size_t limit) const {
  return store::ReadFor<std::vector<Delivery>>(
      store_, [&](const store::Reader& reader) -> Result<std::vector<Delivery>> {
        std::vector<std::string> keys;
        FW_TRY(reader.Scan(kDue, "", TimeKey(clock_.Now() + Millis(1)), [&](std::string_view key, std::string_view) {
          keys.emplace_back(key.substr(8));
          return keys.size() < limit;
        }));
        std::vector<Delivery> due;
        for (const std::string& key : keys) {
          FW_ASSIGN(auto stored, reader.Get(kDeliveries, key));
          if (!stored) continue;
          if (auto delivery = Decode(*stored)) due.push_back(std::move(*delivery));
        }
        return due;
      });
}

Result<std::optional<Timestamp>> Outbox::NextDue() const {
  return store::ReadFor<std::optional<Timestamp>>(
      store_, [&](const store::Reader& reader) -> Result<std::optional<Timestamp>> {
        std::optional<Timestamp> next;
        FW_TRY(reader.Scan(kDue, "", "", [&](std::string_view key, std::string_view) {
          next = TimeOf(key);
          return false;
        }));
        return next;
      });
}

Status Outbox::MarkDone(const Delivery& delivery) {
  return store_.Write([&](store::Transaction& tx) -> Status {
    FW_TRY(Remove(tx, delivery));
    return {};
  });
}

Status Outbox::MarkFailed(const Delivery& delivery, std::string_view reason, Timestamp next) {
  return store_.Write([&](store::Transaction& tx) -> Status {
    FW_ASSIGN(bool queued, Remove(tx, delivery));
    if (!queued) return {};
    Delivery again = delivery;
    ++again.attempts;
    again.last_failure = reason;
    return Insert(tx, again, next);
  });
}

Status Outbox::MarkDead(const Delivery& delivery, std::string_view reason) {
  return store_.Write([&](store::Transaction& tx) -> Status {
    FW_ASSIGN(bool queued, Remove(tx, delivery));
    if (!queued) return {};
    Delivery dead = delivery;
    ++dead.attempts;
    dead.last_failure = reason;
    Timestamp now = clock_.Now();
    return tx.Put(kDead, TimeKey(now) + delivery.Key(), Encode(dead, now));
  });
}

Status Outbox::MarkKept(const Delivery& delivery, std::string_view rendered) {
  return store_.Write([&](store::Transaction& tx) -> Status {
    FW_ASSIGN(bool queued, Remove(tx, delivery));
    if (!queued) return {};
    return tx.Put(kKept, TimeKey(clock_.Now()) + delivery.Key(), rendered);
  });
}

Result<std::vector<std::pair<Timestamp, std::string>>> Outbox::Kept(std::size_t limit) const {
  using Mails = std::vector<std::pair<Timestamp, std::string>>;
  return store::ReadFor<Mails>(store_, [&](const store::Reader& reader) -> Result<Mails> {
    Mails mails;
    FW_TRY(reader.ScanDown(kKept, "", "", [&](std::string_view key, std::string_view mail) {
      mails.emplace_back(TimeOf(key), mail);
      return mails.size() < limit;
    }));
    return mails;
  });
}

Result<std::vector<Delivery>> Outbox::Dead(std::size_t limit) const {
  using Deliveries = std::vector<Delivery>;
  return store::ReadFor<Deliveries>(store_, [&](const store::Reader& reader) -> Result<Deliveries> {
    Deliveries dead;
    FW_TRY(reader.ScanDown(kDead, "", "", [&](std::string_view, std::string_view value) {
      if (auto delivery = Decode(value)) dead.push_back(std::move(*delivery));
      return dead.size() < limit;
    }));
    return dead;
  });
}

Result<OutboxCounts> Outbox::Counts() const {
  return store::ReadFor<OutboxCounts>(store_, [&](const store::Reader& reader) -> Result<OutboxCounts> {
    OutboxCounts counts;
    FW_ASSIGN(counts.pending, CountRows(reader, kDeliveries));
    FW_ASSIGN(counts.dead, CountRows(reader, kDead));
    FW_ASSIGN(counts.kept, CountRows(reader, kKept));
    return counts;
  });
}

Status Outbox::Expire() {
  return store_.Write([&](store::Transaction& tx) -> Status {
    std::vector<std::pair<store::Table, std::string>> old;
    Timestamp horizon = clock_.Now() - kRemember;
    FW_TRY(tx.Scan(kTaken, "", "", [&](std::string_view key, std::string_view when) {
      if (TimeOf(when) < horizon) old.emplace_back(kTaken, key);
      return true;
    }));
    for (const store::Table& table : {kKept, kDead}) {
      std::size_t count = 0;
      FW_TRY(tx.ScanDown(table, "", "", [&](std::string_view key, std::string_view) {
        if (++count > kKeptLimit) old.emplace_back(table, key);
        return true;
      }));
    }
    for (const auto& [table, key] : old) FW_TRY(tx.Erase(table, key));
    return {};
  });
}

}  // namespace fleetward::notify
