#include "thing_state.h"

#include <algorithm>
#include <utility>

namespace fleetward::ingest {
namespace {

void SaveAddresses(ByteWriter& w, const std::vector<model::IpAddress>& addresses) {
  w.Varint(addresses.size());
  for (const auto& ip : addresses) {
    w.Raw(std::string_view(reinterpret_cast<const char*>(ip.bytes.data()), ip.bytes.size()));
  }
}

bool LoadAddresses(ByteReader& r, std::vector<model::IpAddress>& addresses) {
  std::uint64_t count = r.Varint();
  if (count > kMaxSourceIps) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view raw = r.Raw(16);
    if (raw.size() != 16) return false;
    model::IpAddress ip;
    std::copy(raw.begin(), raw.end(), ip.bytes.begin());
    addresses.push_back(ip);
  }
  return true;
}

void SaveBucket(ByteWriter& w, const OpenBucket& bucket) {
  for (std::uint64_t v : {bucket.messages_sent, bucket.bytes_sent, bucket.max_payload, bucket.min_payload,
                          bucket.messages_received, bucket.authorization_failures, bucket.connection_attempts,
                          bucket.disconnects}) {
    w.Varint(v);
  }
  SaveAddresses(w, bucket.source_ips);
  w.U8(bucket.clock_step ? 1 : 0);
  w.Varint(bucket.topics.size());
  for (const TopicBucket& topics : bucket.topics) {
    for (std::uint64_t v : {std::uint64_t{topics.series}, topics.messages_sent, topics.bytes_sent, topics.max_payload,
                            topics.min_payload, topics.messages_received, topics.authorization_failures}) {
      w.Varint(v);
    }
    SaveAddresses(w, topics.source_ips);
  }
}

bool LoadBucket(ByteReader& r, OpenBucket& bucket) {
  for (std::uint64_t* v : {&bucket.messages_sent, &bucket.bytes_sent, &bucket.max_payload, &bucket.min_payload,
                           &bucket.messages_received, &bucket.authorization_failures, &bucket.connection_attempts,
                           &bucket.disconnects}) {
    *v = r.Varint();
  }
  if (!LoadAddresses(r, bucket.source_ips)) return false;
  bucket.clock_step = r.U8() != 0;
  std::uint64_t count = r.Varint();
  if (count > kMaxTopicBuckets) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    TopicBucket topics;
    topics.series = static_cast<std::uint32_t>(r.Varint());
    for (std::uint64_t* v : {&topics.messages_sent, &topics.bytes_sent, &topics.max_payload,
                             &topics.min_payload, &topics.messages_received, &topics.authorization_failures}) {
      *v = r.Varint();
    }
    if (!LoadAddresses(r, topics.source_ips)) return false;
    bucket.topics.push_back(std::move(topics));
  }
  return true;
}

bool LoadDetails(ByteReader& r, ThingDetails& details) {
  details.last_online_ms = r.SignedVarint();
  details.last_client_id = r.Bytes();
  details.last_address = r.Bytes();
  std::uint64_t count = r.Varint();
  if (count > kMaxFaults) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::int64_t time_ms = r.SignedVarint();
    details.faults.push_back({time_ms, std::string(r.Bytes())});
  }
  return r.ok();
}

bool IsEmpty(const ThingDetails& details) {
  return details.connections.empty() && details.last_online_ms == 0 && details.last_client_id.empty() &&
         details.last_address.empty() && details.faults.empty();
}

}  // namespace

void KeepFault(std::vector<Fault>& faults, std::int64_t time_ms, std::string text) {
  // The same fault again only moves its time: five different ones say more than five equal ones.
  std::erase_if(faults, [&](const Fault& fault) { return fault.text == text; });
  if (faults.size() == kMaxFaults) faults.erase(faults.begin());
  faults.push_back({time_ms, std::move(text)});
}

const ThingDetails& ThingState::details() const {
  static const ThingDetails kNone;
  return details_ ? *details_ : kNone;
}

ThingDetails& ThingState::MutableDetails() {
  if (!details_) details_ = std::make_unique<ThingDetails>();
  return *details_;
}

void ThingState::AddFault(std::int64_t time_ms, std::string text) {
  KeepFault(MutableDetails().faults, time_ms, std::move(text));
}

void ThingState::Prefetch(telemetry::Source source, Ahead ahead) const {
  if (ahead == Ahead::kState) return PrefetchBytes(this, sizeof *this);
  if (source == telemetry::Source::kDevice) return admission.Prefetch();
  if (bucket) PrefetchBytes(bucket.get(), sizeof *bucket);
}

void ThingState::Save(ByteWriter& w) const {
  const ThingDetails& known = details();
  w.Bytes(name.value());
  w.U8(static_cast<std::uint8_t>((registered ? 1 : 0) | (configured ? 2 : 0) | (lost ? 4 : 0)));
  admission.Save(w);
  w.Varint(known.connections.size());
  for (const OpenConnection& c : known.connections) {
    w.Varint(c.number);
    w.SignedVarint(c.since_ms);
  }
  w.SignedVarint(bucket ? bucket->bucket_ms : -1);
  if (bucket) SaveBucket(w, *bucket);
  w.SignedVarint(last_report_ms);
  w.U64(last_report_id);
  w.SignedVarint(known.last_online_ms);
  w.Bytes(known.last_client_id);
  w.Bytes(known.last_address);
  w.Varint(known.faults.size());
  for (const Fault& fault : known.faults) {
    w.SignedVarint(fault.time_ms);
    w.Bytes(fault.text);
  }
}

bool ThingState::Load(ByteReader& r) {
  name = model::ThingName(r.Bytes());
  std::uint8_t flags = r.U8();
  registered = (flags & 1) != 0;
  configured = (flags & 2) != 0;
  lost = (flags & 4) != 0;
  if (!admission.Load(r)) return false;
  ThingDetails loaded;
  std::uint64_t count = r.Varint();
  if (count > kMaxOpenConnections) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    OpenConnection c;
    c.number = r.Varint();
    c.since_ms = r.SignedVarint();
    loaded.connections.push_back(c);
  }
  std::int64_t bucket_ms = r.SignedVarint();
  if (bucket_ms >= 0) {
    bucket = std::make_unique<OpenBucket>();
    bucket->bucket_ms = bucket_ms;
    if (!LoadBucket(r, *bucket)) return false;
  }
  last_report_ms = r.SignedVarint();
  last_report_id = r.U64();
  if (!LoadDetails(r, loaded)) return false;
  if (!IsEmpty(loaded)) MutableDetails() = std::move(loaded);
  return r.ok();
}

}  // namespace fleetward::ingest
