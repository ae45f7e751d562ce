// Typed access to the registry's tables, shared by its services, the directory and the publisher.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"
#include "fleetward/store/control_store.h"
#include "fleetward/store/ordered_key.h"
#include "records.h"
#include "tables.h"

namespace fleetward::registry {

using store::KeyAfter;
using store::OrderedKey;
using store::PrefixEnd;
using store::Transaction;
using ConstReader = const store::Reader&;

Result<std::optional<Thing>> FindThing(ConstReader reader, std::string_view name);
Result<std::optional<ThingType>> FindThingType(ConstReader reader, std::string_view name);
Result<std::optional<ThingGroup>> FindThingGroup(ConstReader reader, std::string_view name);
Result<std::optional<Certificate>> FindCertificate(ConstReader reader, std::string_view id);  // with its DER form
Result<std::optional<Policy>> FindPolicy(ConstReader reader, std::string_view name);
Result<std::optional<PolicyVersion>> FindPolicyVersion(ConstReader reader, std::string_view name,
                                                       std::uint32_t number);

// The same, with kNotFound "The specified resource does not exist: …".
Result<Thing> GetThing(ConstReader reader, std::string_view name);
Result<ThingType> GetThingType(ConstReader reader, std::string_view name);
Result<ThingGroup> GetThingGroup(ConstReader reader, std::string_view name);
Result<Certificate> GetCertificate(ConstReader reader, std::string_view id);
Result<Policy> GetPolicy(ConstReader reader, std::string_view name);
Error NotFound(std::string_view kind, std::string_view name);

/// The last parts of all keys OrderedKey({prefix, part}) in order.
Result<std::vector<std::string>> PartsUnder(ConstReader reader, const Table& table, std::string_view prefix);
/// At most `most` of them.
Result<std::vector<std::string>> FirstPartsUnder(ConstReader reader, const Table& table, std::string_view prefix,
                                                 std::size_t most);
Result<bool> AnyUnder(ConstReader reader, const Table& table, std::string_view prefix);

/// kLimitExceeded when the table already has `most` entries. `what` is their plural.
Status CheckCount(ConstReader reader, const Table& table, std::size_t most, std::string_view what);

/// The group's ancestors from its parent to the root. Bounded, whatever is stored.
Result<std::vector<std::string>> AncestorsOf(ConstReader reader, std::string_view group);

/// Puts both directions of a link, or erases them.
Status PutLink(Transaction& tx, const Table& forward, const Table& backward, std::string_view left,
               std::string_view right);
Status EraseLink(Transaction& tx, const Table& forward, const Table& backward, std::string_view left,
                 std::string_view right);
Result<bool> HasLink(ConstReader reader, const Table& forward, std::string_view left, std::string_view right);

/// Entries that a page looks at: one under a filter that fits few may come short, with a position to go on from.
inline constexpr std::size_t kMaxLookedAt = 2000;

/// A page of a range of `table`: `decode(key, value)` gives Result<std::optional<T>>, nothing to skip an entry.
template <class T, class Decode>
Result<Page<T>> PageOf(ConstReader reader, const Table& table, std::string_view from, std::string_view until,
                       const PageRequest& request, Decode&& decode) {
  Page<T> page;
  std::string last;
  Status failed;
  std::size_t looked_at = 0;
  auto take = [&](std::string_view key, std::string_view value) {
    if (page.items.size() == request.limit || ++looked_at > kMaxLookedAt) {
      page.next = last;
      return false;
    }
    Result<std::optional<T>> item = decode(key, value);
    if (!item.ok()) {
      failed = item.error();
      return false;
    }
    if (*item) page.items.push_back(std::move(**item));
    last = key;
    return true;
  };
  if (request.descending) {
    std::string end = request.after.empty() ? std::string(until) : request.after;
    FW_TRY(reader.ScanDown(table, from, end, take));
  } else {
    // A position outside the range (another list's token) starts the range anew rather than leaving it.
    // compare: clang 14 cannot rewrite `<` of these types in a template.
    std::string begin = std::string_view(request.after).compare(from) < 0 ? std::string(from) : KeyAfter(request.after);
    FW_TRY(reader.Scan(table, request.after.empty() ? from : begin, until, take));
  }
  FW_TRY(failed);
  return page;
}

/// A page of the last parts under OrderedKey({prefix}).
template <class T>
Result<Page<T>> PageOfParts(ConstReader reader, const Table& table, std::string_view prefix,
                            const PageRequest& request) {
  std::string from = OrderedKey({prefix});
  return PageOf<T>(reader, table, from, PrefixEnd(from), request,
                   [](std::string_view key, std::string_view) -> Result<std::optional<T>> {
                     auto parts = store::SplitOrderedKey(key);
                     if (!parts || parts->size() != 2) return Error(Code::kCorrupt, "a stored link is damaged");
                     return std::optional<T>(T((*parts)[1]));
                   });
}

/// Changes noted by a body, told to the listeners once they are durable.
class ChangeSet {
 public:
  void Add(Change change) { changes_.push_back(std::move(change)); }
  bool empty() const { return changes_.empty(); }
  const std::vector<Change>& changes() const { return changes_; }

 private:
  std::vector<Change> changes_;
};

namespace internal {
void TellAfterCommit(const Context& context, Transaction& tx, ChangeSet changes);
}

/// Result<T> body(Transaction&, ChangeSet&), in one transaction.
template <class T, class Body>
Result<T> Apply(const Context& context, std::string_view actor, Body&& body) {
  return store::WriteFor<T>(context.store, actor, [&](Transaction& tx) -> Result<T> {
    ChangeSet changes;
    Result<T> result = body(tx, changes);
    if (result.ok() && !changes.empty()) internal::TellAfterCommit(context, tx, std::move(changes));
    return result;
  });
}

/// Status body(Transaction&, ChangeSet&), in one transaction.
template <class Body>
Status ApplyStatus(const Context& context, std::string_view actor, Body&& body) {
  return context.store.Write(actor, [&](Transaction& tx) -> Status {
    ChangeSet changes;
    FW_TRY(body(tx, changes));
    if (!changes.empty()) internal::TellAfterCommit(context, tx, std::move(changes));
    return {};
  });
}

/// Checks `attributes` against the limits. Error: kInvalidArgument.
Status CheckAttributes(const Attributes& attributes, std::size_t max_count, const Quotas& quotas);
/// `present` changed by `update`: replaced, or merged with empty values removing.
Attributes UpdatedAttributes(const Attributes& present, const Attributes& update, bool merge);

/// Errors: kInvalidArgument (a reserved key), kLimitExceeded.
Status CheckTags(const Attributes& tags, const Quotas& quotas);
/// Checks and stores them.
Status PutTags(Transaction& tx, std::string_view resource, const Attributes& tags, const Quotas& quotas);
Status EraseTags(Transaction& tx, std::string_view resource);

inline std::string CertificateTarget(std::string_view id) { return "cert/" + std::string(id); }
inline std::string GroupTarget(std::string_view name) { return "thinggroup/" + std::string(name); }
/// Lets go of all policies of a target and notes the changes.
Status DetachAllPolicies(Transaction& tx, ChangeSet& changes, std::string_view target);

/// The certificate id in a principal's ARN. Error: kInvalidArgument.
Result<std::string> CertificateIdOf(const model::Arns& arns, std::string_view principal);

}  // namespace fleetward::registry
