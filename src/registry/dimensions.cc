#include "fleetward/registry/dimensions.h"

#include "fleetward/policy/topic.h"
#include "profile_access.h"

namespace fleetward::registry {
namespace {

constexpr std::string_view kClientId = "${iot:ClientId}";
constexpr std::size_t kMaxFilters = 100;

// `filter` with the variable as some client would fill it, so that the rest can be checked.
std::string WithSampleClient(std::string_view filter) {
  std::string text(filter);
  for (std::size_t at = text.find(kClientId); at != std::string::npos; at = text.find(kClientId, at)) {
    text.replace(at, kClientId.size(), "c");
  }
  return text;
}

Status CheckFilter(const std::string& filter) {
  std::string sample = WithSampleClient(filter);
  std::string shown = "The dimension value " + filter;
  if (sample.find("${") != std::string::npos) {
    return Error(Code::kInvalidArgument, shown + " holds a variable other than ${iot:ClientId}");
  }
  if (sample.starts_with("$share/")) {
    return Error(Code::kInvalidArgument, shown + " must not name a shared subscription: messages have plain topics");
  }
  Status valid = policy::ValidateTopicFilter(sample);
  if (valid.ok()) return {};
  return Error(Code::kInvalidArgument, shown + " is no MQTT topic filter: " + valid.error().message());
}

constexpr std::string_view kNextDimension = "dimension";

// Stored series name dimensions by number: one that was given once is never given again.
Result<std::uint32_t> TakeNumber(Transaction& tx) {
  FW_ASSIGN(auto stored, tx.Get(kNumbers, kNextDimension));
  std::uint32_t number = 1;
  if (stored) {
    auto next = FromBigEndian32(*stored);
    if (!next) return Error(Code::kCorrupt, "the stored number of the next dimension is damaged");
    number = *next;
  }
  FW_TRY(tx.Put(kNumbers, kNextDimension, BigEndian32(number + 1)));
  return number;
}

Status CheckFilters(const std::vector<std::string>& filters) {
  if (filters.empty() || filters.size() > kMaxFilters) {
    return Error(Code::kInvalidArgument, "A dimension must have 1 to 100 values");
  }
  for (const std::string& filter : filters) FW_TRY(CheckFilter(filter));
  return {};
}

}  // namespace

Result<Dimension> Dimensions::Create(std::string_view actor, const NewDimension& request) {
  FW_TRY(CheckFilters(request.topic_filters));
  const std::string& name = request.name.value();
  return Apply<Dimension>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<Dimension> {
    FW_ASSIGN(auto present, FindDimension(tx, name));
    if (present) {
      bool same = present->request_token == request.request_token && present->topic_filters == request.topic_filters;
      if (same) return std::move(*present);
      return Error(Code::kAlreadyExists, "Dimension " + name + " already exists")
          .WithField("resourceId", name)
          .WithField("resourceArn", Arn(request.name));
    }
    std::size_t count = 0;
    FW_TRY(tx.Scan(kDimensions, "", "", [&](auto, auto) {
      ++count;
      return true;
    }));
    if (count >= context_.quotas.dimensions) {
      return Error(Code::kLimitExceeded,
                   "There are already " + std::to_string(count) + " dimensions, the most an account may have");
    }
    FW_ASSIGN(std::uint32_t number, TakeNumber(tx));
    Timestamp now = context_.clock.Now();
    Dimension dimension{request.name, number, request.topic_filters, request.request_token, now, now};
    FW_TRY(tx.Put(kDimensions, name, Encode(dimension)));
    FW_TRY(PutTags(tx, DimensionResource(name), request.tags, context_.quotas));
    changes.Add(DimensionChanged{dimension.name, std::nullopt, dimension});
    return dimension;
  });
}

Result<Dimension> Dimensions::Describe(const model::DimensionName& name) const {
  return store::ReadFor<Dimension>(context_.store,
                                   [&](ConstReader reader) { return GetDimension(reader, name.value()); });
}

Result<std::vector<Dimension>> Dimensions::All() const {
  return store::ReadFor<std::vector<Dimension>>(context_.store,
                                                [](ConstReader reader) { return AllDimensions(reader); });
}

Result<Page<model::DimensionName>> Dimensions::List(const PageRequest& page) const {
  using Name = model::DimensionName;
  return store::ReadFor<Page<Name>>(context_.store, [&](ConstReader reader) {
    return PageOf<Name>(reader, kDimensions, "", "", page,
                        [](std::string_view key, std::string_view) -> Result<std::optional<Name>> {
                          return std::optional<Name>(Name(key));
                        });
  });
}

Result<Dimension> Dimensions::Update(std::string_view actor, const model::DimensionName& name,
                                     const std::vector<std::string>& topic_filters) {
  FW_TRY(CheckFilters(topic_filters));
  return Apply<Dimension>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<Dimension> {
    FW_ASSIGN(Dimension before, GetDimension(tx, name.value()));
    Dimension now = before;
    now.topic_filters = topic_filters;
    now.modified = context_.clock.Now();
    FW_TRY(tx.Put(kDimensions, name.value(), Encode(now)));
    changes.Add(DimensionChanged{name, std::move(before), now});
    return now;
  });
}

Status Dimensions::Delete(std::string_view actor, const model::DimensionName& name) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(auto dimension, FindDimension(tx, name.value()));
    if (!dimension) return {};
    FW_TRY(CheckUnused(tx, "dimension", name.value(),
                       [&](const SecurityProfile& profile) { return UsesDimension(profile, name.value()); }));
    FW_TRY(tx.Erase(kDimensions, name.value()));
    FW_TRY(EraseTags(tx, DimensionResource(name.value())));
    changes.Add(DimensionChanged{name, std::move(dimension), std::nullopt});
    return {};
  });
}

}  // namespace fleetward::registry
