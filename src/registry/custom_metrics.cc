#include "fleetward/registry/custom_metrics.h"

#include "profile_access.h"

namespace fleetward::registry {
namespace {

constexpr std::string_view kNextMetric = "custom_metric";

// Stored series name metrics by number: a number that was given once is never given again, whatever was deleted.
Result<model::MetricId> TakeMetricId(Transaction& tx) {
  FW_ASSIGN(auto stored, tx.Get(kNumbers, kNextMetric));
  model::MetricId id = model::kFirstCustomMetric;
  if (stored) {
    auto next = FromBigEndian32(*stored);
    if (!next) return Error(Code::kCorrupt, "the stored number of the next custom metric is damaged");
    id = *next;
  }
  FW_TRY(tx.Put(kNumbers, kNextMetric, BigEndian32(id + 1)));
  return id;
}

Result<std::size_t> CountOf(ConstReader reader, const Table& table) {
  std::size_t count = 0;
  FW_TRY(reader.Scan(table, "", "", [&](auto, auto) {
    ++count;
    return true;
  }));
  return count;
}

}  // namespace

Result<CustomMetric> CustomMetrics::Create(std::string_view actor, const NewCustomMetric& request) {
  const std::string& name = request.name.value();
  for (std::string_view reserved : {"aws:", "fleetward:"}) {
    if (!name.starts_with(reserved)) continue;
    return Error(Code::kInvalidArgument, "A custom metric's name must not begin with " + std::string(reserved) + ", which is for built-in metrics");
  }
  return Apply<CustomMetric>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<CustomMetric> {
    FW_ASSIGN(auto present, FindCustomMetric(tx, name));
    if (present) {
      bool same = present->request_token == request.request_token && present->type == request.type &&
                  present->display_name == request.display_name;
      if (same) return std::move(*present);
      return Error(Code::kAlreadyExists, "Custom metric " + name + " already exists")
          .WithField("resourceId", name)
          .WithField("resourceArn", Arn(request.name));
    }
    FW_ASSIGN(std::size_t count, CountOf(tx, kCustomMetrics));
    if (count >= context_.quotas.custom_metrics) {
      return Error(Code::kLimitExceeded, "There are already " + std::to_string(count) +
                                             " custom metrics, the most an account may have");
    }
    FW_ASSIGN(model::MetricId id, TakeMetricId(tx));
    Timestamp now = context_.clock.Now();
    CustomMetric metric{request.name, id, request.type, request.display_name, request.request_token, now, now};
    FW_TRY(tx.Put(kCustomMetrics, name, Encode(metric)));
    FW_TRY(PutTags(tx, CustomMetricResource(name), request.tags, context_.quotas));
    changes.Add(CustomMetricChanged{metric.name, std::nullopt, metric});
    return metric;
  });
}

Result<CustomMetric> CustomMetrics::Describe(const model::CustomMetricName& name) const {
  return store::ReadFor<CustomMetric>(context_.store,
                                      [&](ConstReader reader) { return GetCustomMetric(reader, name.value()); });
}

Result<Page<model::CustomMetricName>> CustomMetrics::List(const PageRequest& page) const {
  using Name = model::CustomMetricName;
  return store::ReadFor<Page<Name>>(context_.store, [&](ConstReader reader) {
    return PageOf<Name>(reader, kCustomMetrics, "", "", page,
                        [](std::string_view key, std::string_view) -> Result<std::optional<Name>> {
                          return std::optional<Name>(Name(key));
                        });
  });
}

Result<CustomMetric> CustomMetrics::Update(std::string_view actor, const model::CustomMetricName& name,
                                           const std::string& display_name) {
  return Apply<CustomMetric>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<CustomMetric> {
    FW_ASSIGN(CustomMetric before, GetCustomMetric(tx, name.value()));
    CustomMetric now = before;
    now.display_name = display_name;
    now.modified = context_.clock.Now();
    FW_TRY(tx.Put(kCustomMetrics, name.value(), Encode(now)));
    changes.Add(CustomMetricChanged{name, std::move(before), now});
    return now;
  });
}

Status CustomMetrics::Delete(std::string_view actor, const model::CustomMetricName& name) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(auto metric, FindCustomMetric(tx, name.value()));
    if (!metric) return {};
    FW_TRY(CheckUnused(tx, "custom metric", name.value(),
                       [&](const SecurityProfile& profile) { return UsesMetric(profile, name.value()); }));
    FW_TRY(tx.Erase(kCustomMetrics, name.value()));
    FW_TRY(EraseTags(tx, CustomMetricResource(name.value())));
    changes.Add(CustomMetricChanged{name, std::move(metric), std::nullopt});
    return {};
  });
}

Result<std::vector<CustomMetric>> CustomMetrics::All() const {
  return store::ReadFor<std::vector<CustomMetric>>(context_.store,
                                                   [&](ConstReader reader) -> Result<std::vector<CustomMetric>> {
    std::vector<CustomMetric> all;
    Status fault;
    FW_TRY(reader.Scan(kCustomMetrics, "", "", [&](std::string_view key, std::string_view record) {
      auto metric = DecodeCustomMetric(key, record);
      if (!metric.ok()) {
        fault = metric.error();
        return false;
      }
      all.push_back(std::move(*metric));
      return true;
    }));
    FW_TRY(fault);
    return all;
  });
}

}  // namespace fleetward::registry
