// A shard's configuration: profiles, custom metrics, things, and their comparison with the registry at each start.
#include <algorithm>

#include "fleetward/model/dimension.h"
#include "shard.h"

namespace fleetward::ingest {

void Shard::On(const ProfileSetRecord& r) {
  std::vector<model::MetricToRetain> metrics = r.config.profile.additional_metrics_to_retain;
  for (const auto& behavior : r.config.profile.behaviors) {
    if (behavior.metric) metrics.push_back({*behavior.metric, behavior.dimension, {}});
  }
  profiles_.insert_or_assign(r.config.profile.name.value(), std::move(metrics));
  exports_.Set(r.config.profile);
  if (reconciling_) seen_profiles_.insert(r.config.profile.name.value());
  engine_->SetProfile(r.config, FromMillis(r.time_ms));
  book_->OnProfile(r.config.profile);
  RefreshRetained();
}

void Shard::On(const ProfileRemovedRecord& r) {
  profiles_.erase(r.name.value());
  exports_.Remove(r.name.value());
  engine_->RemoveProfile(r.name, FromMillis(r.time_ms));
  RefreshRetained();
}

void Shard::On(const CustomMetricSetRecord& r) {
  customs_.insert_or_assign(r.config.name.value(), r.config);
  if (reconciling_) seen_customs_.insert(r.config.name.value());
  engine_->SetCustomMetric(r.config, FromMillis(r.time_ms));
  RefreshRetained();
}

void Shard::On(const CustomMetricRemovedRecord& r) {
  customs_.erase(r.name.value());
  engine_->RemoveCustomMetric(r.name, FromMillis(r.time_ms));
  RefreshRetained();
}

void Shard::On(const DimensionSetRecord& r) {
  On(DimensionRemovedRecord{r.time_ms, r.name});  // it may have been made anew under another number
  dimensions_.insert_or_assign(r.name.value(), r.number);
  dimension_names_.insert_or_assign(r.number, r.name.value());
  if (reconciling_) seen_dimensions_.insert(r.name.value());
  RefreshRetained();
}

void Shard::On(const DimensionRemovedRecord& r) {
  auto found = dimensions_.find(r.name.value());
  if (found == dimensions_.end()) return;
  dimension_names_.erase(found->second);
  dimensions_.erase(found);
  RefreshRetained();
}

void Shard::On(const ThingSetRecord& r) {
  ThingState* thing = FindThing(r.config.entity, r.config.name.value(), r.config.registered);
  if (thing == nullptr) return;
  thing->configured = true;
  thing->seen = true;
  Touch(r.config.entity);
  engine_->SetThing(r.config, FromMillis(r.time_ms));
}

void Shard::On(const ThingRemovedRecord& r) {
  engine_->RemoveThing(r.entity, FromMillis(r.time_ms));
  ThingState* thing = things_.Find(r.entity);
  if (thing == nullptr) return;
  if (thing->bucket) CloseBucket(*thing);
  if (!thing->registered) --unregistered_;
  things_.Erase(thing);
  std::erase_if(slab_things_[telemetry::SlabOf(r.entity) / options_.count],
                [thing](const auto& member) { return member.get() == thing; });
  Touch(r.entity);
}

void Shard::On(const VerificationRecord& r) {
  if (engine_->OnVerification(r.entity, r.violation, r.state)) Touch(r.entity);
}

void Shard::On(const ConfigBeginRecord&) {
  reconciling_ = true;
  seen_profiles_.clear();
  seen_customs_.clear();
  seen_dimensions_.clear();
  for (const auto& members : slab_things_) {
    for (const auto& thing : members) thing->seen = false;
  }
}

void Shard::On(const ConfigEndRecord& r) {
  if (!reconciling_) return;  // its beginning was before the checkpoint; the next start says it all again
  reconciling_ = false;
  std::vector<std::string> profiles, customs, dimensions;
  std::vector<model::EntityId> things;
  for (const auto& [name, metrics] : profiles_) {
    if (!seen_profiles_.contains(name)) profiles.push_back(name);
  }
  for (const auto& [name, config] : customs_) {
    if (!seen_customs_.contains(name)) customs.push_back(name);
  }
  for (const auto& [name, number] : dimensions_) {
    if (!seen_dimensions_.contains(name)) dimensions.push_back(name);
  }
  for (const auto& members : slab_things_) {
    for (const auto& thing : members) {
      if (thing->configured && !thing->seen) things.push_back(thing->entity);
    }
  }
  std::sort(things.begin(), things.end());
  for (const auto& entity : things) On(ThingRemovedRecord{r.time_ms, entity});
  for (const auto& name : profiles) On(ProfileRemovedRecord{r.time_ms, model::SecurityProfileName(name)});
  for (const auto& name : customs) On(CustomMetricRemovedRecord{r.time_ms, model::CustomMetricName(name)});
  for (const auto& name : dimensions) On(DimensionRemovedRecord{r.time_ms, model::DimensionName(name)});
}

bool Shard::Retained(model::MetricId metric) const { return options_.store_all || retained_.contains(metric); }

void Shard::RefreshRetained() {
  exports_.Resolve(customs_, dimensions_);
  retained_.clear();
  topic_series_.clear();
  for (const auto& [profile, metrics] : profiles_) {
    for (const model::MetricToRetain& metric : metrics) {
      const model::MetricInfo* info = model::FindBuiltinMetric(metric.metric);
      if (info != nullptr) retained_.insert(model::IdOf(info->id));
      if (info != nullptr && metric.dimension) {
        auto number = dimensions_.find(metric.dimension->dimension_name.value());
        if (number == dimensions_.end()) continue;
        topic_series_.insert({model::IdOf(info->id), model::DimensionSeries(number->second, metric.dimension->op)});
      }
      auto custom = customs_.find(metric.metric);
      if (custom != customs_.end()) retained_.insert(custom->second.id);
    }
  }
}

}  // namespace fleetward::ingest
