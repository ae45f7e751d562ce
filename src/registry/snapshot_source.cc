#include "snapshot_source.h"

#include <set>

#include "fleetward/model/dimension.h"
#include "fleetward/policy/document.h"
#include "profile_access.h"

namespace fleetward::registry {
namespace {

// Things and certificates are joined with their links in pages, so that a full snapshot needs a few range scans per
// thousand objects instead of two look-ups each.
constexpr std::size_t kPage = 1000;

std::vector<std::string> Take(std::map<std::string, std::vector<std::string>, std::less<>>& links,
                              std::string_view key) {
  auto found = links.find(key);
  return found == links.end() ? std::vector<std::string>() : std::move(found->second);
}

// Calls `page` with each page of a table's entries, decoded.
template <class T, class Decode, class Page>
Status EachPage(ConstReader reader, const Table& table, Decode&& decode, Page&& page) {
  std::string from;
  for (;;) {
    std::vector<T> items;
    std::string last;
    Status failed;
    FW_TRY(reader.Scan(table, from, "", [&](std::string_view key, std::string_view value) {
      Result<T> item = decode(key, value);
      if (!item.ok()) {
        failed = item.error();
        return false;
      }
      items.push_back(std::move(*item));
      last = key;
      return items.size() < kPage;
    }));
    FW_TRY(failed);
    if (items.empty()) return {};
    FW_TRY(page(items));
    from = KeyAfter(last);
  }
}

}  // namespace

policy::CertificateEntry SnapshotSource::MakeCertificate(const Certificate& certificate,
                                                         std::vector<std::string> policies,
                                                         std::vector<std::string> things) {
  policy::CertificateEntry entry;
  entry.fingerprint = policy::FingerprintOf(certificate.id.value()).value_or(policy::Fingerprint{});
  entry.status = certificate.status;
  entry.alone = certificate.mode == CertificateMode::kSniOnly && certificate.ca_id.empty();
  entry.not_after = certificate.not_after;
  entry.serial = certificate.serial;
  entry.attributes = certificate.policy_facts;
  entry.policy_set = numbers_.OfSet({false, std::move(policies)});
  entry.things = std::move(things);
  return entry;
}

policy::ThingEntry SnapshotSource::MakeThing(const Thing& thing, std::vector<std::string> groups,
                                             const std::vector<std::string>& certificates) {
  policy::ThingEntry entry;
  entry.name = thing.name.value();
  entry.type = thing.type;
  entry.attributes = policy::EncodeThingAttributes(thing.attributes);
  entry.policy_set = numbers_.OfSet({true, std::move(groups)});
  for (const std::string& id : certificates) {
    if (auto fingerprint = policy::FingerprintOf(id)) entry.certificates.push_back(*fingerprint);
  }
  return entry;
}

Result<std::optional<policy::CertificateEntry>> SnapshotSource::CertificateOf(const std::string& id) {
  FW_ASSIGN(auto record, reader_.Get(kCertificates, id));
  if (!record) return std::optional<policy::CertificateEntry>();
  FW_ASSIGN(Certificate certificate, DecodeCertificate(id, *record));
  FW_ASSIGN(auto policies, PartsUnder(reader_, kTargetPolicies, CertificateTarget(id)));
  FW_ASSIGN(auto things, PartsUnder(reader_, kPrincipalThings, id));
  return std::optional(MakeCertificate(certificate, std::move(policies), std::move(things)));
}

Result<std::optional<policy::ThingEntry>> SnapshotSource::ThingOf(const std::string& name) {
  FW_ASSIGN(auto thing, FindThing(reader_, name));
  if (!thing) return std::optional<policy::ThingEntry>();
  FW_ASSIGN(auto groups, PartsUnder(reader_, kGroupsOfThing, name));
  FW_ASSIGN(auto certificates, PartsUnder(reader_, kThingPrincipals, name));
  return std::optional(MakeThing(*thing, std::move(groups), certificates));
}

Result<std::optional<policy::PolicyEntry>> SnapshotSource::PolicyOf(const std::string& name) {
  FW_ASSIGN(auto policy, FindPolicy(reader_, name));
  if (!policy) return std::optional<policy::PolicyEntry>();
  FW_ASSIGN(auto version, FindPolicyVersion(reader_, name, policy->default_version));
  if (!version) return Error(Code::kCorrupt, "policy " + name + " has lost its default version");
  FW_ASSIGN(policy::CompiledPolicy compiled, policy::CompilePolicy(name, version->document));
  return std::optional(policy::PolicyEntry{numbers_.OfPolicy(name), name, std::move(compiled.body)});
}

Result<policy::PolicySetEntry> SnapshotSource::SetOf(policy::PolicySetNumber number, const PolicySetKey& key) {
  std::set<std::string> names;
  if (!key.of_groups) names.insert(key.names.begin(), key.names.end());
  for (const std::string& group : key.of_groups ? key.names : std::vector<std::string>()) {
    FW_ASSIGN(auto lineage, AncestorsOf(reader_, group));
    lineage.push_back(group);
    for (const std::string& level : lineage) {
      FW_ASSIGN(auto attached, PartsUnder(reader_, kTargetPolicies, GroupTarget(level)));
      names.insert(attached.begin(), attached.end());
    }
  }
  policy::PolicySetEntry entry{number, {}};
  for (const std::string& name : names) {
    FW_ASSIGN(auto exists, reader_.Get(kPolicies, name));
    if (exists) entry.policies.push_back(numbers_.OfPolicy(name));
  }
  return entry;
}

Result<SnapshotSource::Links> SnapshotSource::LinksBetween(const Table& table, const std::string& first,
                                                           const std::string& last) const {
  Links links;
  FW_TRY(reader_.Scan(table, OrderedKey({first}), PrefixEnd(OrderedKey({last})),
                      [&](std::string_view key, std::string_view) {
                        auto parts = store::SplitOrderedKey(key);
                        if (parts && parts->size() == 2) links[(*parts)[0]].push_back(std::move((*parts)[1]));
                        return true;
                      }));
  return links;
}

Status SnapshotSource::AddThings(policy::SnapshotBuilder& builder) {
  return EachPage<Thing>(reader_, kThings, DecodeThing, [&](const std::vector<Thing>& things) -> Status {
    const std::string &first = things.front().name.value(), &last = things.back().name.value();
    FW_ASSIGN(Links groups, LinksBetween(kGroupsOfThing, first, last));
    FW_ASSIGN(Links certificates, LinksBetween(kThingPrincipals, first, last));
    for (const Thing& thing : things) {
      const std::string& name = thing.name.value();
      builder.AddThing(MakeThing(thing, Take(groups, name), Take(certificates, name)));
    }
    return {};
  });
}

Status SnapshotSource::AddCertificates(policy::SnapshotBuilder& builder) {
  return EachPage<Certificate>(reader_, kCertificates, DecodeCertificate,
                               [&](const std::vector<Certificate>& certificates) -> Status {
    const std::string &first = certificates.front().id.value(), &last = certificates.back().id.value();
    FW_ASSIGN(Links policies, LinksBetween(kTargetPolicies, CertificateTarget(first), CertificateTarget(last)));
    FW_ASSIGN(Links things, LinksBetween(kPrincipalThings, first, last));
    for (const Certificate& certificate : certificates) {
      const std::string& id = certificate.id.value();
      builder.AddCertificate(MakeCertificate(certificate, Take(policies, CertificateTarget(id)), Take(things, id)));
    }
    return {};
  });
}

Status SnapshotSource::AddPolicies(policy::SnapshotBuilder& builder) {
  return EachPage<Policy>(reader_, kPolicies, DecodePolicy, [&](const std::vector<Policy>& policies) -> Status {
    for (const Policy& policy : policies) {
      FW_ASSIGN(auto entry, PolicyOf(policy.name.value()));
      if (entry) builder.AddPolicy(*entry);
    }
    return {};
  });
}

Result<std::vector<policy::DimensionEntry>> SnapshotSource::WatchedDimensions() const {
  std::vector<policy::DimensionEntry> watched;
  FW_ASSIGN(std::vector<Dimension> dimensions, AllDimensions(reader_));
  if (dimensions.empty()) return watched;
  std::set<std::pair<std::string, model::DimensionOperator>> used;
  auto note = [&](const std::optional<model::MetricDimension>& dimension) {
    if (dimension) used.emplace(dimension->dimension_name.value(), dimension->op);
  };
  FW_TRY(EachPage<SecurityProfile>(reader_, kSecurityProfiles, DecodeSecurityProfile,
                                   [&](const std::vector<SecurityProfile>& page) -> Status {
    for (const SecurityProfile& profile : page) {
      model::SecurityProfile form = EngineForm(profile);
      for (const model::Behavior& behavior : form.behaviors) note(behavior.dimension);
      for (const model::MetricToRetain& metric : form.additional_metrics_to_retain) note(metric.dimension);
    }
    return {};
  }));
  for (Dimension& dimension : dimensions) {
    auto series = [&](model::DimensionOperator op) {
      return used.contains({dimension.name.value(), op}) ? model::DimensionSeries(dimension.number, op) : 0;
    };
    policy::DimensionEntry entry{dimension.name.value(), {}, series(model::DimensionOperator::kIn),
                                 series(model::DimensionOperator::kNotIn)};
    if (entry.in == 0 && entry.not_in == 0) continue;
    entry.filters = std::move(dimension.topic_filters);
    watched.push_back(std::move(entry));
  }
  return watched;
}

Status SnapshotSource::AddAll(policy::SnapshotBuilder& builder) {
  FW_TRY(AddPolicies(builder));
  FW_TRY(AddCertificates(builder));
  FW_TRY(AddThings(builder));
  // Every set ever numbered, in use or not: later deltas may name it without sending it again.
  for (const auto& [number, key] : numbers_.Sets()) {
    FW_ASSIGN(policy::PolicySetEntry entry, SetOf(number, key));
    builder.AddPolicySet(entry);
  }
  return {};
}

}  // namespace fleetward::registry
