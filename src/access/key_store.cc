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
      open[std::string(id)].key = {std::move(secret).value(), record->role, record->active};
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

Result<NewAccessKey> KeyStore::Create(Role role, std::string_view description, std::string_view actor) {
  NewAccessKey made{NewId(), Base64Encode(crypto::RandomBytes(30))};
  KeyRecord record{role, true, state_->clock.Now(), std::string(description), state_->box.Seal(made.secret, made.id)};
  FW_TRY(state_->store.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_TRY(tx.Put(kKeys, made.id, EncodeKeyRecord(record)));
    tx.AfterCommit([&] { state_->Put(made.id, {made.secret, role, true}); });
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
    FW_TRY(Load(tx, id));
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
          keys.push_back({std::string(id), record->role, record->active, record->description, record->created, {}});
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
