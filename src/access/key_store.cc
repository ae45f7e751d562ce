#include "fleetward/access/key_store.h"

#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "fleetward/base/encoding.h"
#include "fleetward/base/log.h"
#include "fleetward/crypto/digest.h"
#include "key_record.h"

namespace fleetward::access {
namespace {

constexpr store::Table kKeys{"access_keys"};
constexpr store::Table kUses{"access_key_uses"};  // key id -> milliseconds, 8 bytes
constexpr std::int64_t kUseResolutionMillis = 60'000;

/// "AKFW" and 16 characters of the base32 alphabet: 80 random bits.
std::string NewId() {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string id = "AKFW";
  for (char byte : crypto::RandomBytes(16)) id += kAlphabet[static_cast<unsigned char>(byte) & 31];
  return id;
}

std::string EncodeTime(Timestamp time) {
  std::string out;
  ByteWriter(out).U64(static_cast<std::uint64_t>(ToMillis(time)));
  return out;
}

Result<KeyRecord> Load(const store::Reader& reader, std::string_view id) {
  FW_ASSIGN(std::optional<std::string> bytes, reader.Get(kKeys, id));
  if (!bytes) return Error(Code::kNotFound, "There is no access key " + std::string(id));
  return DecodeKeyRecord(*bytes);
}

}  // namespace

struct KeyStore::State {
  struct Open {
    KeySecret key;
    std::int64_t used_millis = 0;
  };

  State(store::ControlStore& s, crypto::SecretBox b, const Clock& c) : store(s), box(std::move(b)), clock(c) {}

  Status LoadAll();
  Status Insert(store::Transaction& tx, const NewAccessKey& made, const KeyRecord& record);
  void Put(const std::string& id, KeySecret key) {
    std::unique_lock lock(mutex);
    open[id].key = std::move(key);
  }

  store::ControlStore& store;
  crypto::SecretBox box;
  const Clock& clock;
  mutable std::shared_mutex mutex;
  std::map<std::string, Open, std::less<>> open;
};

Status KeyStore::State::LoadAll() {
  return store.Read([this](const store::Reader& reader) -> Status {
    Status inner;
    FW_TRY(reader.Scan(kKeys, {}, {}, [&](std::string_view id, std::string_view bytes) {
      Result<KeyRecord> record = DecodeKeyRecord(bytes);
      if (!record.ok()) {
        inner = std::move(record).error();
        return false;
      }
      Result<std::string> secret = box.Open(record->sealed_secret, id);
      if (!secret.ok()) {
        inner = std::move(secret).error().Prefixed("opening access key " + std::string(id));
        return false;
      }
      KeySecret& key = open[std::string(id)].key;
      key = {std::move(secret).value(), record->role, record->active, record->expires, nullptr};
      if (!record->scope.empty()) key.scope = std::make_shared<const Scope>(Scope{record->scope});
      return true;
    }));
    return inner;
  });
}

KeyStore::KeyStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
KeyStore::~KeyStore() = default;

Result<std::unique_ptr<KeyStore>> KeyStore::Open(store::ControlStore& store, crypto::SecretBox box,
                                                 const Clock& clock) {
  auto state = std::make_unique<State>(store, std::move(box), clock);
  FW_TRY(state->LoadAll());
  return std::unique_ptr<KeyStore>(new KeyStore(std::move(state)));
}

namespace {

constexpr std::size_t kMaxKeys = 1000;
constexpr std::size_t kMaxScope = 10;
constexpr std::size_t kMaxDescription = 256;

Status CheckOptions(const KeyOptions& options, Timestamp now) {
  auto bad = [](const char* why) { return Error(Code::kInvalidArgument, why); };
  if (options.description.size() > kMaxDescription || !IsUtf8(options.description)) {
    return bad("a description has at most 256 bytes of UTF-8");
  }
  if (options.scope.size() > kMaxScope) return bad("a key is scoped to at most 10 thing groups");
  if (!options.scope.empty() && options.role == Role::kAdmin) return bad("an admin key cannot be scoped");
  for (const std::string& group : options.scope) {
    if (group.empty() || group.size() > 128) return bad("a thing group's name has 1 to 128 characters");
  }
  if (options.expires && *options.expires <= now) return bad("the expiry is in the past");
  return {};
}

KeySecret SecretOf(const KeyRecord& record, std::string secret) {
  KeySecret key{std::move(secret), record.role, record.active, record.expires, nullptr};
  if (!record.scope.empty()) key.scope = std::make_shared<const Scope>(Scope{record.scope});
  return key;
}

/// Somebody must be able to mend things: an admin key that is active and does not end, other than `id`.
Status CheckAnAdminIsLeft(const store::Reader& reader, std::string_view id) {
  bool left = false;
  FW_TRY(reader.Scan(kKeys, {}, {}, [&](std::string_view other, std::string_view bytes) {
    auto record = DecodeKeyRecord(bytes);
    left = record.ok() && other != id && record->role == Role::kAdmin && record->active && !record->expires;
    return !left;
  }));
  if (left) return {};
  return Error(Code::kConflict, "this is the last admin key: make another one first");
}

bool IsLastingAdmin(const KeyRecord& record) { return record.role == Role::kAdmin && record.active && !record.expires; }

}  // namespace

Result<NewAccessKey> KeyStore::Create(Role role, std::string_view description, std::string_view actor) {
  return Create(KeyOptions{role, std::string(description), {}, {}}, actor);
}

Status KeyStore::State::Insert(store::Transaction& tx, const NewAccessKey& made, const KeyRecord& record) {
  std::size_t count = 0;
  FW_TRY(tx.Scan(kKeys, {}, {}, [&](std::string_view, std::string_view) { return ++count < kMaxKeys; }));
  if (count >= kMaxKeys) return Error(Code::kLimitExceeded, "there can be at most 1000 access keys");
  FW_TRY(tx.Put(kKeys, made.id, EncodeKeyRecord(record)));
  tx.AfterCommit([this, made, record] { Put(made.id, SecretOf(record, made.secret)); });
  return {};
}

Result<NewAccessKey> KeyStore::Create(const KeyOptions& options, std::string_view actor) {
  FW_TRY(CheckOptions(options, state_->clock.Now()));
  NewAccessKey made{NewId(), Base64Encode(crypto::RandomBytes(30))};
  KeyRecord record{options.role, true, state_->clock.Now(), options.description,
                   state_->box.Seal(made.secret, made.id), options.expires, options.scope};
  FW_TRY(state_->store.Write(actor, [&](store::Transaction& tx) { return state_->Insert(tx, made, record); }));
  return made;
}

Result<NewAccessKey> KeyStore::Rotate(std::string_view id, Millis grace, std::string_view actor) {
  NewAccessKey made{NewId(), Base64Encode(crypto::RandomBytes(30))};
  Timestamp now = state_->clock.Now();
  FW_TRY(state_->store.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(KeyRecord old, Load(tx, id));
    if (!old.active || (old.expires && *old.expires <= now)) {
      return Error(Code::kInvalidState, "only a key that works can be rotated");
    }
    KeyRecord successor{old.role, true, now, old.description, state_->box.Seal(made.secret, made.id), old.expires, old.scope};
    FW_TRY(state_->Insert(tx, made, successor));
    Timestamp end = now + grace;
    if (!old.expires || end < *old.expires) old.expires = end;
    FW_TRY(tx.Put(kKeys, id, EncodeKeyRecord(old)));
    tx.AfterCommit([this, id, end = old.expires] {
      std::unique_lock lock(state_->mutex);
      auto found = state_->open.find(id);
      if (found != state_->open.end()) found->second.key.expires = end;
    });
    return {};
  }));
  return made;
}

Result<std::optional<NewAccessKey>> KeyStore::CreateFirst() {
  {
    std::shared_lock lock(state_->mutex);
    if (!state_->open.empty()) return std::optional<NewAccessKey>();
  }
  FW_ASSIGN(NewAccessKey made, Create(Role::kAdmin, "first key", "system"));
  return std::optional<NewAccessKey>(std::move(made));
}

Status KeyStore::SetActive(std::string_view id, bool active, std::string_view actor) {
  return state_->store.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(KeyRecord record, Load(tx, id));
    if (!active && IsLastingAdmin(record)) FW_TRY(CheckAnAdminIsLeft(tx, id));
    record.active = active;
    FW_TRY(tx.Put(kKeys, id, EncodeKeyRecord(record)));
    tx.AfterCommit([&] {
      std::unique_lock lock(state_->mutex);
      auto found = state_->open.find(id);
      if (found != state_->open.end()) found->second.key.active = active;
    });
    return {};
  });
}

Status KeyStore::Delete(std::string_view id, std::string_view actor) {
  return state_->store.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(KeyRecord record, Load(tx, id));
    if (IsLastingAdmin(record)) FW_TRY(CheckAnAdminIsLeft(tx, id));
    FW_TRY(tx.Erase(kKeys, id));
    FW_TRY(tx.Erase(kUses, id));
    tx.AfterCommit([&] {
      std::unique_lock lock(state_->mutex);
      auto found = state_->open.find(id);
      if (found != state_->open.end()) state_->open.erase(found);
    });
    return {};
  });
}

Result<std::vector<AccessKey>> KeyStore::List() const {
  return store::ReadFor<std::vector<AccessKey>>(
      state_->store, [](const store::Reader& reader) -> Result<std::vector<AccessKey>> {
        std::vector<AccessKey> keys;
        Status inner;
        FW_TRY(reader.Scan(kKeys, {}, {}, [&](std::string_view id, std::string_view bytes) {
          Result<KeyRecord> record = DecodeKeyRecord(bytes);
          if (!record.ok()) {
            inner = std::move(record).error();
            return false;
          }
          keys.push_back({std::string(id), record->role, record->active, record->description, record->created, {},
                          record->expires, record->scope});
          return true;
        }));
        FW_TRY(std::move(inner));
        for (AccessKey& key : keys) {
          FW_ASSIGN(std::optional<std::string> used, reader.Get(kUses, key.id));
          if (used) key.last_used = FromMillis(static_cast<std::int64_t>(ByteReader(*used).U64()));
        }
        return keys;
      });
}

std::optional<KeySecret> KeyStore::Find(std::string_view id) const {
  std::shared_lock lock(state_->mutex);
  auto found = state_->open.find(id);
  if (found == state_->open.end()) return std::nullopt;
  return found->second.key;
}

void KeyStore::Used(std::string_view id) {
  Timestamp now = state_->clock.Now();
  {
    std::shared_lock lock(state_->mutex);
    auto found = state_->open.find(id);
    if (found == state_->open.end()) return;
    if (std::abs(ToMillis(now) - found->second.used_millis) < kUseResolutionMillis) return;
  }
  {
    std::unique_lock lock(state_->mutex);
    auto found = state_->open.find(id);
    if (found == state_->open.end()) return;
    if (std::abs(ToMillis(now) - found->second.used_millis) < kUseResolutionMillis) return;
    found->second.used_millis = ToMillis(now);
  }
  Status written =
      state_->store.Write("system", [&](store::Transaction& tx) { return tx.Put(kUses, id, EncodeTime(now)); });
  if (!written.ok()) log::Warning("access_key_use_not_written", {{"error", written.error().ToString()}});
}

}  // namespace fleetward::access
