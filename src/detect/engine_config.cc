// Configuration: profiles become plans, things find theirs, and state moves from an old plan to a new one.
#include <algorithm>

#include "engine_impl.h"

namespace fleetward::detect {
namespace {

Options Checked(Options options) {
  options.bucket_seconds = std::clamp(options.bucket_seconds, 1, 300);
  options.slab_count = std::clamp<std::uint32_t>(options.slab_count, 1, 65535);
  return options;
}

bool SameBehavior(const PlanBehavior& a, const PlanBehavior& b) {
  return a.profile->config.profile.name == b.profile->config.profile.name && a.definition->name == b.definition->name &&
         a.code->definition_version == b.code->definition_version && a.code->feed == b.code->feed &&
         a.code->layout == b.code->layout;
}

std::vector<std::int32_t> MatchWindows(const std::vector<PlanWindow>& from, const std::vector<PlanWindow>& to) {
  std::vector<std::int32_t> match;
  for (const PlanWindow& window : to) {
    auto at = std::find_if(from.begin(), from.end(), [&](const PlanWindow& old) { return old.Key() == window.Key(); });
    match.push_back(at == from.end() ? -1 : static_cast<std::int32_t>(at - from.begin()));
  }
  return match;
}

std::size_t StateBytes(const PlanWindow& window) {
  if (window.feed == Feed::kDelta) return sizeof(DeltaWindow);
  if (window.feed == Feed::kSizes) return sizeof(SizeWindow);
  if (window.feed == Feed::kSilence) return sizeof(SilenceWindow);
  if (window.feed == Feed::kPanes) return sizeof(PaneWindow) + static_cast<std::size_t>(window.layout.panes) * 8;
  return 0;
}

std::vector<std::int32_t> MatchStatistics(const Plan& from, const Plan& to, const std::vector<std::int32_t>& behaviors) {
  std::vector<std::int32_t> match;
  for (const PlanStatistic& statistic : to.statistics) {
    std::int32_t old = behaviors[statistic.behavior];
    match.push_back(old < 0 ? -1 : from.behaviors[static_cast<std::size_t>(old)].statistic);
  }
  return match;
}

std::vector<std::int32_t> MatchModels(const Plan& from, const Plan& to, const std::vector<std::int32_t>& behaviors) {
  std::vector<std::int32_t> match;
  for (const PlanModel& model : to.models) {
    std::int32_t old = behaviors[model.behavior];
    match.push_back(old < 0 ? -1 : from.behaviors[static_cast<std::size_t>(old)].model);
  }
  return match;
}

/// `known`: the thing has never been heard of before, so its past is known to be empty.
void StartWindows(Thing& thing, const PlanWindow& window, bool known) {
  bool seen = thing.connections > 0;
  if (window.feed == Feed::kSizes) thing.At<SizeWindow>(window).seen = seen;
  if (window.feed != Feed::kPanes) return;
  auto& state = thing.At<PaneWindow>(window);
  state.seen = seen;
  if (known) {
    state.StartKnown(window.layout.panes);
  } else {
    state.StartPartial();
  }
}

/// Statistics of `to` whose behaviors go on and are compared with other things than before. The populations of before are
/// not looked into: they may be gone.
std::vector<std::uint16_t> LeftPopulations(const Plan& from, const std::vector<Population*>& before, const Plan& to,
                                           const std::vector<Population*>& after, const Migration* migration) {
  std::vector<std::uint16_t> left;
  for (std::size_t i = 0; i < to.statistics.size(); ++i) {
    std::int32_t old = migration ? migration->statistics[i] : static_cast<std::int32_t>(i);
    if (old < 0) continue;
    auto of = [](const Plan& plan, std::size_t statistic) {
      return static_cast<std::size_t>(plan.behaviors[plan.statistics[statistic].behavior].population);
    };
    if (before[of(from, static_cast<std::size_t>(old))] != after[of(to, i)]) left.push_back(static_cast<std::uint16_t>(i));
  }
  return left;
}

}  // namespace

std::vector<std::int64_t> NextDefinitionVersions(const model::SecurityProfile& before,
                                                 const std::vector<std::int64_t>& before_versions,
                                                 const model::SecurityProfile& after) {
  std::vector<std::int64_t> versions;
  for (const model::Behavior& behavior : after.behaviors) {
    std::int64_t version = after.version;
    for (std::size_t i = 0; i < before.behaviors.size() && i < before_versions.size(); ++i) {
      const model::Behavior& old = before.behaviors[i];
      if (old.name == behavior.name && old.SameDefinition(behavior)) version = before_versions[i];
    }
    versions.push_back(version);
  }
  return versions;
}

Engine::Impl::Impl(const Options& options, DecisionSink& sink)
    : options_(Checked(options)), sink_(sink), storms_(options_, sink), slabs_(options_.slab_count), changed_(options_.slab_count) {}

Engine::Impl::~Impl() {
  for (Slab& slab : slabs_) {
    for (Thing* thing : slab.things) pool_.Free(thing);
  }
}

void Engine::Impl::SetProfile(const ProfileConfig& config, Timestamp time) {
  profiles_[config.profile.name.value()] = CompileProfile(config, customs_, options_);
  Replan(time);
}

void Engine::Impl::RemoveProfile(const model::SecurityProfileName& name, Timestamp time) {
  if (profiles_.erase(name.value()) != 0) Replan(time);
}

void Engine::Impl::SetCustomMetric(const CustomMetricConfig& config, Timestamp time) {
  auto at = customs_.find(config.name.value());
  if (at != customs_.end() && at->second.id == config.id && at->second.type == config.type) return;
  customs_[config.name.value()] = config;
  Recompile();
  Replan(time);
}

void Engine::Impl::RemoveCustomMetric(const model::CustomMetricName& name, Timestamp time) {
  if (customs_.erase(name.value()) == 0) return;
  Recompile();
  Replan(time);
}

void Engine::Impl::SetThing(const ThingConfig& config, Timestamp time) {
  std::vector<std::string> groups;
  for (const model::ThingGroupName& group : config.groups) groups.push_back(group.value());
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  Cohort* cohort = CohortOf(config.registered, std::move(groups));
  Thing* thing = table_.Find(config.entity);
  if (!thing) {
    thing = Create(config.entity, config.name.value(), cohort);
  } else if (thing->cohort != cohort) {
    Cohort* before = thing->cohort;
    auto migration = MakeMigration(*cohort, before->plan, cohort->plan);
    auto left = LeftPopulations(*before->plan, before->populations, *cohort->plan, cohort->populations, migration.get());
    if (cohort->registered != before->registered) unregistered_ += cohort->registered ? -1 : 1;
    ++cohort->things;
    --before->things;
    if (migration) {
      thing = Migrate(thing, *migration, time);
    }
    thing->cohort = cohort;
    LeavePopulations(*thing, left);
    Release(before);
  }
  MarkChanged(*thing);
}

void Engine::Impl::RemoveThing(const model::EntityId& entity, Timestamp time) {
  Thing* thing = table_.Find(entity);
  if (!thing) return;
  for (std::size_t i = 0; i < thing->plan().behaviors.size(); ++i) {
    Invalidate(*thing, static_cast<std::uint16_t>(i), thing->plan(), Cause::kThingDeleted, time);
  }
  Discard(thing);
}

Thing* Engine::Impl::FindOrCreate(const ThingRef& ref) {
  if (Thing* thing = table_.Find(ref.entity)) return thing;
  if (unregistered_ >= options_.max_unregistered_things) {
    ++stats_.ignored_names;
    return nullptr;
  }
  return Create(ref.entity, ref.name, CohortOf(false, {}));
}

Thing* Engine::Impl::Create(const model::EntityId& entity, std::string_view name, Cohort* cohort) {
  constexpr std::size_t kMaxName = 1024;  // far beyond what ingest lets through
  Thing* thing = Thing::Make(pool_, name.substr(0, kMaxName), cohort->plan->state_bytes);
  thing->entity = entity;
  thing->cohort = cohort;
  thing->slab = static_cast<std::uint16_t>(SlabOf(entity));
  Slab& slab = SlabFor(*thing);
  thing->index = static_cast<std::uint32_t>(slab.things.size());
  slab.things.push_back(thing);
  MarkChanged(slab);
  table_.Insert(thing);
  ++cohort->things;
  if (!cohort->registered) ++unregistered_;
  for (const PlanWindow& window : cohort->plan->buckets) StartWindows(*thing, window, true);
  return thing;
}

void Engine::Impl::Discard(Thing* thing) {
  Slab& slab = SlabFor(*thing);
  MarkChanged(slab);
  slab.things[thing->index] = slab.things.back();
  slab.things[thing->index]->index = thing->index;
  slab.things.pop_back();
  auto at = slab.sources.lower_bound({thing->entity, std::string()});
  while (at != slab.sources.end() && at->first.first == thing->entity) at = slab.sources.erase(at);
  table_.Erase(thing);
  Cohort* cohort = thing->cohort;
  if (!cohort->registered) --unregistered_;
  alarms_ -= thing->alarms;
  --cohort->things;
  pool_.Free(thing);
  Release(cohort);
}

Cohort* Engine::Impl::CohortOf(bool registered, std::vector<std::string> groups) {
  auto key = std::make_pair(registered, std::move(groups));
  auto at = cohorts_.find(key);
  if (at != cohorts_.end()) return at->second.get();
  auto cohort = std::make_unique<Cohort>();
  cohort->registered = registered;
  cohort->groups = key.second;
  cohort->plan = PlanFor(*cohort);
  JoinPopulations(*cohort);
  return cohorts_.emplace(std::move(key), std::move(cohort)).first->second.get();
}

void Engine::Impl::Release(Cohort* cohort) {
  if (cohort->things == 0) cohorts_.erase({cohort->registered, cohort->groups});
}

std::shared_ptr<const Plan> Engine::Impl::PlanFor(const Cohort& cohort) {
  std::vector<std::string> names;
  std::vector<std::shared_ptr<const CompiledProfile>> profiles;
  for (const auto& [name, profile] : profiles_) {
    if (!Covers(profile->config, cohort.registered, cohort.groups)) continue;
    names.push_back(name);
    profiles.push_back(profile);
  }
  auto& plan = plans_[std::move(names)];
  if (!plan) plan = MakePlan(std::move(profiles), options_);
  return plan;
}

void Engine::Impl::Recompile() {
  for (auto& [name, profile] : profiles_) profile = CompileProfile(profile->config, customs_, options_);
}

/// Gives every cohort its plan anew. Things whose plan has the same signature need not be touched.
void Engine::Impl::Replan(Timestamp time) {
  plans_.clear();
  RefreshPopulations();
  bool any = false;
  for (auto& [key, cohort] : cohorts_) {
    auto before = std::move(cohort->plan);
    cohort->plan = PlanFor(*cohort);
    cohort->migration = MakeMigration(*cohort, before, cohort->plan);
    auto populations = cohort->populations;
    JoinPopulations(*cohort);
    cohort->left = LeftPopulations(*before, populations, *cohort->plan, cohort->populations, cohort->migration.get());
    any |= cohort->migration != nullptr || !cohort->left.empty();
  }
  if (!any) return;
  for (Slab& slab : slabs_) {
    for (std::size_t i = 0; i < slab.things.size(); ++i) {
      if (const Migration* migration = slab.things[i]->cohort->migration.get()) {
        Thing* moved = Migrate(slab.things[i], *migration, time);
        LeavePopulations(*moved, moved->cohort->left);
        MarkChanged(slab);
      } else if (!slab.things[i]->cohort->left.empty()) {
        LeavePopulations(*slab.things[i], slab.things[i]->cohort->left);
        MarkChanged(slab);
      }
    }
  }
  for (auto& [key, cohort] : cohorts_) {
    cohort->migration.reset();
    cohort->left.clear();
  }
}

/// Nothing when state fits as it is.
std::unique_ptr<Migration> Engine::Impl::MakeMigration(const Cohort& cohort, std::shared_ptr<const Plan> from,
                                                       std::shared_ptr<const Plan> to) const {
  if (from->signature == to->signature) return nullptr;
  auto migration = std::make_unique<Migration>();
  std::vector<bool> kept(from->behaviors.size());
  for (const PlanBehavior& behavior : to->behaviors) {
    auto at = std::find_if(from->behaviors.begin(), from->behaviors.end(),
                           [&](const PlanBehavior& old) { return SameBehavior(old, behavior); });
    migration->behaviors.push_back(at == from->behaviors.end() ? -1
                                                               : static_cast<std::int32_t>(at - from->behaviors.begin()));
    if (at != from->behaviors.end()) kept[static_cast<std::size_t>(at - from->behaviors.begin())] = true;
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i]) continue;
    auto profile = profiles_.find(from->behaviors[i].profile->config.profile.name.value());
    Cause cause = profile == profiles_.end() ? Cause::kProfileDeleted
                  : Covers(profile->second->config, cohort.registered, cohort.groups) ? Cause::kBehaviorChanged
                                                                                      : Cause::kNotTargeted;
    migration->dropped.emplace_back(static_cast<std::uint16_t>(i), cause);
  }
  migration->statistics = MatchStatistics(*from, *to, migration->behaviors);
  migration->models = MatchModels(*from, *to, migration->behaviors);
  migration->deltas = MatchWindows(from->deltas, to->deltas);
  migration->buckets = MatchWindows(from->buckets, to->buckets);
  migration->from = std::move(from);
  migration->to = std::move(to);
  return migration;
}

/// Returns the thing's new place. Its cohort must already have the new plan, or get it right after.
Thing* Engine::Impl::Migrate(Thing* thing, const Migration& migration, Timestamp time) {
  const Plan& from = *migration.from;
  const Plan& to = *migration.to;
  for (auto [index, cause] : migration.dropped) Invalidate(*thing, index, from, cause, time);
  Thing* moved = Thing::Make(pool_, thing->name(), to.state_bytes);
  std::memcpy(static_cast<void*>(moved), static_cast<const void*>(thing), sizeof(Thing));
  for (std::size_t i = 0; i < to.behaviors.size(); ++i) {
    if (migration.behaviors[i] >= 0) moved->behavior(i) = thing->behavior(static_cast<std::size_t>(migration.behaviors[i]));
  }
  for (std::size_t i = 0; i < to.statistics.size(); ++i) {
    if (migration.statistics[i] < 0) continue;
    moved->At(to.statistics[i]) = thing->At(from.statistics[static_cast<std::size_t>(migration.statistics[i])]);
  }
  for (std::size_t i = 0; i < to.models.size(); ++i) {
    if (migration.models[i] < 0) continue;
    moved->At(to.models[i]) = thing->At(from.models[static_cast<std::size_t>(migration.models[i])]);
  }
  auto move_windows = [&](const std::vector<PlanWindow>& old_windows, const std::vector<PlanWindow>& new_windows,
                          const std::vector<std::int32_t>& match) {
    for (std::size_t i = 0; i < new_windows.size(); ++i) {
      if (match[i] < 0) {
        StartWindows(*moved, new_windows[i], false);
      } else {
        std::memcpy(moved->state() + new_windows[i].offset,
                    thing->state() + old_windows[static_cast<std::size_t>(match[i])].offset, StateBytes(new_windows[i]));
      }
    }
  };
  move_windows(from.deltas, to.deltas, migration.deltas);
  move_windows(from.buckets, to.buckets, migration.buckets);
  SlabFor(*thing).things[thing->index] = moved;
  table_.Replace(thing, moved);
  pool_.Free(thing);
  return moved;
}

}  // namespace fleetward::detect
