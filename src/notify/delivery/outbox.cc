#include "fleetward/notify/outbox.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"

namespace fleetward::notify {
namespace {

using nlohmann::json;

constexpr store::Table kDeliveries{"outbox_deliveries"};  // key: delivery; value: JSON with its due time
constexpr store::Table kDue{"outbox_lanes"};              // key: lane (9), due time (8), delivery key
constexpr store::Table kOldDue{"outbox_due"};             // before there were lanes: due time, delivery key
constexpr store::Table kTaken{"outbox_taken"};            // key: message id; value: when (8 bytes)
constexpr store::Table kTakenTimes{"outbox_taken_times"}; // key: when (8), message id: what is taken, by time
constexpr store::Table kKept{"outbox_kept"};              // key: time, delivery key; value: the mail
constexpr store::Table kDead{"outbox_dead"};              // key: time, delivery key; value: delivery JSON
constexpr store::Table kCounts{"outbox_counts"};          // key: a table's name; value: its rows (8 bytes)
constexpr auto kRemember = std::chrono::hours(48);
constexpr std::size_t kKeptLimit = 1000;
constexpr std::size_t kErasedAtOnce = 500;  // others' writes come in between

std::uint64_t NumberOf(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8 && i < bytes.size(); ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

std::string BytesOf(std::uint64_t number) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(number >> (56 - 8 * i));
  return bytes;
}

std::string TimeKey(Timestamp t) { return BytesOf(static_cast<std::uint64_t>(ToMillis(t))); }
Timestamp TimeOf(std::string_view key) { return FromMillis(static_cast<std::int64_t>(NumberOf(key))); }

constexpr std::size_t kLaneBytes = 9;

json EncodePolicy(const DeliveryPolicy& p) {
  return json::array({p.min_delay_seconds, p.max_delay_seconds, p.retries, p.no_delay_retries, p.min_delay_retries,
                      p.max_delay_retries, static_cast<int>(p.backoff), p.max_receives_per_second});
}

DeliveryPolicy DecodePolicy(const json& j) {
  DeliveryPolicy p;
  if (!j.is_array() || j.size() != 8) return p;
  int v[8];
  for (std::size_t i = 0; i < 8; ++i) {
    if (!j[i].is_number_integer()) return p;
    v[i] = j[i].get<int>();
  }
  if (v[6] < 0 || v[6] > 3) return p;
  return {v[0], v[1], v[2], v[3], v[4], v[5], static_cast<Backoff>(v[6]), v[7]};
}

std::string Encode(const Delivery& d, Timestamp due) {
  json j = {{"message", d.message_id.Hex()}, {"subscription", d.subscription_id.Hex()}, {"kind", d.kind},
            {"topic", d.topic}, {"protocol", d.protocol}, {"endpoint", d.endpoint}, {"sender", d.sender_name},
            {"subject", d.subject}, {"body", d.body}, {"created", ToMillis(d.created)},
            {"attempts", d.attempts}, {"failure", d.last_failure}, {"due", ToMillis(due)}};
  if (!d.footer.empty()) j["footer"] = d.footer;
  if (!d.url.empty()) j["url"] = d.url;
  if (!d.token.empty()) j["token"] = d.token;
  if (d.IsSigned()) {
    j["attributes"] = d.attributes;
    j["signature"] = d.signature_version;
  }
  if (d.IsHttp()) {
    j["arn"] = d.subscription_arn;
    j["raw"] = d.raw;
    j["policy"] = EncodePolicy(d.policy);
  }
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
  d.subscription_arn = j.value("arn", "");
  d.url = j.value("url", "");
  d.token = j.value("token", "");
  d.attributes = j.value("attributes", "");
  d.raw = j.value("raw", false);
  d.signature_version = j.value("signature", 1);
  d.policy = DecodePolicy(j.value("policy", json()));
  if (due != nullptr) *due = FromMillis(j.value("due", std::int64_t{0}));
  return d;
}

std::string After(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

std::string DueKey(const Delivery& d, Timestamp due) { return d.Lane() + TimeKey(due) + d.Key(); }

Result<std::uint64_t> CountOf(const store::Reader& reader, const store::Table& table) {
  FW_ASSIGN(auto count, reader.Get(kCounts, table.name));
  return count ? NumberOf(*count) : 0;
}

// Rows of the tables that Counts() tells are counted as they come and go.
Status Count(store::Transaction& tx, const store::Table& table, std::int64_t change) {
  if (change == 0) return {};
  FW_ASSIGN(std::uint64_t count, CountOf(tx, table));
  return tx.Put(kCounts, table.name, BytesOf(count + static_cast<std::uint64_t>(change)));
}

Status Append(store::Transaction& tx, const store::Table& table, std::string_view key, std::string_view value) {
  FW_TRY(tx.Put(table, key, value));
  return Count(tx, table, 1);
}

// Takes a delivery out of the queue, uncounted; false when it is not in it (any more).
Result<bool> Unqueue(store::Transaction& tx, const Delivery& delivery) {
  FW_ASSIGN(auto stored, tx.Get(kDeliveries, delivery.Key()));
  if (!stored) return false;
  Timestamp due{};
  if (!Decode(*stored, &due)) return Error(Code::kCorrupt, "a stored delivery cannot be read");
  FW_TRY(tx.Erase(kDeliveries, delivery.Key()));
  FW_TRY(tx.Erase(kDue, DueKey(delivery, due)));
  return true;
}

Result<bool> Remove(store::Transaction& tx, const Delivery& delivery) {
  FW_ASSIGN(bool queued, Unqueue(tx, delivery));
  if (queued) FW_TRY(Count(tx, kDeliveries, -1));
  return queued;
}

Status Insert(store::Transaction& tx, const Delivery& delivery, Timestamp due) {
  FW_TRY(tx.Put(kDeliveries, delivery.Key(), Encode(delivery, due)));
  return tx.Put(kDue, DueKey(delivery, due), "");
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

std::string Delivery::Lane() const {
  // FNV-1a: the hash is stored, so it must be the same everywhere and always. Endpoints that share one share a lane.
  std::uint64_t hash = 14695981039346656037ULL;
  for (unsigned char c : endpoint) hash = (hash ^ c) * 1099511628211ULL;
  std::string lane(1, IsHttp() ? 'h' : 'm');
  for (int i = 0; i < 8; ++i) lane += static_cast<char>(hash >> (56 - 8 * i));
  return lane;
}

Result<bool> Outbox::Taken(const store::Reader& reader, const Id128& message_id) {
  FW_ASSIGN(auto taken, reader.Get(kTaken, message_id.Bytes()));
  return taken.has_value();
}

Status Outbox::Add(store::Transaction& tx, const Id128& message_id, const std::vector<Delivery>& deliveries) {
  FW_ASSIGN(bool taken, Taken(tx, message_id));
  if (taken) return {};
  Timestamp now = clock_.Now();
  FW_TRY(tx.Put(kTaken, message_id.Bytes(), TimeKey(now)));
  FW_TRY(tx.Put(kTakenTimes, TimeKey(now) + message_id.Bytes(), ""));
  for (const Delivery& delivery : deliveries) FW_TRY(Insert(tx, delivery, now));
  FW_TRY(Count(tx, kDeliveries, static_cast<std::int64_t>(deliveries.size())));
  if (deliveries.empty()) return {};
  std::vector<std::string> lanes;
  lanes.reserve(deliveries.size());
  for (const Delivery& delivery : deliveries) lanes.push_back(delivery.Lane());
  tx.AfterCommit([this, lanes = std::move(lanes)] {
    std::lock_guard lock(mutex_);
    if (wake_) wake_(lanes);
  });
  return {};
}

void Outbox::OnAdded(Wake wake) {
  std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

Result<std::vector<Outbox::Waiting>> Outbox::Lanes() const {
  return store::ReadFor<std::vector<Waiting>>(store_, [&](const store::Reader& reader) -> Result<std::vector<Waiting>> {
    std::vector<Waiting> lanes;
    std::string from;
    for (;;) {
      bool found = false;
      FW_TRY(reader.Scan(kDue, from, "", [&](std::string_view key, std::string_view) {
        found = key.size() > kLaneBytes;
        if (found) lanes.push_back({std::string(key.substr(0, kLaneBytes)), TimeOf(key.substr(kLaneBytes))});
        return false;
      }));
      if (!found) return lanes;
      from = After(lanes.back().lane);
      if (from.empty()) return lanes;
    }
  });
}

Result<std::vector<Delivery>> Outbox::DueIn(std::string_view lane, std::size_t limit) const {
  return store::ReadFor<std::vector<Delivery>>(
      store_, [&](const store::Reader& reader) -> Result<std::vector<Delivery>> {
        std::vector<std::string> keys;
        std::string until = std::string(lane) + TimeKey(clock_.Now() + Millis(1));
        FW_TRY(reader.Scan(kDue, lane, until, [&](std::string_view key, std::string_view) {
          keys.emplace_back(key.substr(kLaneBytes + 8));
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

Result<std::optional<Timestamp>> Outbox::NextDueIn(std::string_view lane, std::size_t skip) const {
  return store::ReadFor<std::optional<Timestamp>>(
      store_, [&](const store::Reader& reader) -> Result<std::optional<Timestamp>> {
        std::optional<Timestamp> next;
        std::size_t seen = 0;
        FW_TRY(reader.Scan(kDue, lane, After(lane), [&](std::string_view key, std::string_view) {
          if (seen++ < skip) return true;
          next = TimeOf(key.substr(kLaneBytes));
          return false;
        }));
        return next;
      });
}

Result<std::vector<Delivery>> Outbox::Queued(std::size_t limit) const {
  using Deliveries = std::vector<Delivery>;
  FW_ASSIGN(Deliveries queued,
            store::ReadFor<Deliveries>(store_, [&](const store::Reader& reader) -> Result<Deliveries> {
              Deliveries all;
              FW_TRY(reader.Scan(kDeliveries, "", "", [&](std::string_view, std::string_view value) {
                if (auto delivery = Decode(value)) all.push_back(std::move(*delivery));
                return all.size() < limit;
              }));
              return all;
            }));
  std::stable_sort(queued.begin(), queued.end(),
                   [](const Delivery& a, const Delivery& b) { return a.created < b.created; });
  return queued;
}

Status Outbox::Migrate() {
  return store_.Write([&](store::Transaction& tx) -> Status {
    std::vector<std::string> old;
    FW_TRY(tx.Scan(kOldDue, "", "", [&](std::string_view key, std::string_view) {
      old.emplace_back(key);
      return true;
    }));
    for (const std::string& key : old) {
      FW_TRY(tx.Erase(kOldDue, key));
      FW_ASSIGN(auto stored, tx.Get(kDeliveries, std::string_view(key).substr(8)));
      auto delivery = stored ? Decode(*stored) : std::nullopt;
      if (delivery) FW_TRY(tx.Put(kDue, DueKey(*delivery, TimeOf(key)), ""));
    }
    for (const store::Table& table : {kDeliveries, kDead, kKept}) {
      FW_ASSIGN(auto counted, tx.Get(kCounts, table.name));
      if (counted) continue;
      FW_ASSIGN(std::size_t rows, CountRows(tx, table));
      FW_TRY(tx.Put(kCounts, table.name, BytesOf(rows)));
    }
    FW_ASSIGN(auto by_time, tx.Get(kCounts, kTakenTimes.name));
    if (by_time) return {};
    std::vector<std::string> taken;
    FW_TRY(tx.Scan(kTaken, "", "", [&](std::string_view key, std::string_view when) {
      taken.push_back(std::string(when) + std::string(key));
      return true;
    }));
    for (const std::string& key : taken) FW_TRY(tx.Put(kTakenTimes, key, ""));
    return tx.Put(kCounts, kTakenTimes.name, BytesOf(0));  // not counted: that they are there
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
    FW_ASSIGN(bool queued, Unqueue(tx, delivery));
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
    return Append(tx, kDead, TimeKey(now) + delivery.Key(), Encode(dead, now));
  });
}

Status Outbox::MarkKept(const Delivery& delivery, std::string_view rendered) {
  return store_.Write([&](store::Transaction& tx) -> Status {
    FW_ASSIGN(bool queued, Remove(tx, delivery));
    if (!queued) return {};
    return Append(tx, kKept, TimeKey(clock_.Now()) + delivery.Key(), rendered);
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
    FW_ASSIGN(counts.pending, CountOf(reader, kDeliveries));
    FW_ASSIGN(counts.dead, CountOf(reader, kDead));
    FW_ASSIGN(counts.kept, CountOf(reader, kKept));
    return counts;
  });
}

namespace {

/// Removes the oldest of what is to go, at most kErasedAtOnce rows; true when there may be more.
Result<bool> ExpireSome(store::Transaction& tx, Timestamp horizon) {
  std::vector<std::pair<store::Table, std::string>> old;
  std::size_t left = kErasedAtOnce;
  auto take = [&](const store::Table& table, std::string_view until, std::size_t most) -> Result<std::size_t> {
    std::size_t count = 0;
    if (most == 0) return count;
    FW_TRY(tx.Scan(table, "", until, [&](std::string_view key, std::string_view) {
      old.emplace_back(table, key);
      return ++count < most;
    }));
    left -= count;
    return count;
  };
  FW_ASSIGN(std::size_t forgotten, take(kTakenTimes, TimeKey(horizon), left));
  for (std::size_t i = 0; i < forgotten; ++i) old.emplace_back(kTaken, old[i].second.substr(8));
  for (const store::Table& table : {kKept, kDead}) {
    FW_ASSIGN(std::uint64_t rows, CountOf(tx, table));
    std::size_t beyond = rows > kKeptLimit ? rows - kKeptLimit : 0;
    FW_ASSIGN(std::size_t gone, take(table, "", std::min(left, beyond)));
    FW_TRY(Count(tx, table, -static_cast<std::int64_t>(gone)));
  }
  for (const auto& [table, key] : old) FW_TRY(tx.Erase(table, key));
  return left == 0;
}

}  // namespace

Status Outbox::Expire() {
  for (bool more = true; more;) {
    FW_ASSIGN(more, store::WriteFor<bool>(store_, "system", [&](store::Transaction& tx) {
                return ExpireSome(tx, clock_.Now() - kRemember);
              }));
  }
  return {};
}

}  // namespace fleetward::notify
