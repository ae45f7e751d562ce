#include "fleetward/detect/engine.h"

#include "engine_impl.h"

namespace fleetward::detect {

Engine::Engine(const Options& options, DecisionSink& sink) : impl_(std::make_unique<Impl>(options, sink)) {}
Engine::~Engine() = default;

void Engine::SetProfile(const ProfileConfig& config, Timestamp time) { impl_->SetProfile(config, time); }
void Engine::RemoveProfile(const model::SecurityProfileName& name, Timestamp time) {
  impl_->RemoveProfile(name, time);
}
void Engine::SetCustomMetric(const CustomMetricConfig& config, Timestamp time) {
  impl_->SetCustomMetric(config, time);
}
void Engine::RemoveCustomMetric(const model::CustomMetricName& name, Timestamp time) {
  impl_->RemoveCustomMetric(name, time);
}
void Engine::SetThing(const ThingConfig& config, Timestamp time) { impl_->SetThing(config, time); }
void Engine::RemoveThing(const model::EntityId& entity, Timestamp time) { impl_->RemoveThing(entity, time); }

void Engine::Prefetch(const model::EntityId& entity, Ahead ahead) const { impl_->Prefetch(entity, ahead); }
void Engine::OnReport(const ReportEvent& event) { impl_->OnReport(event); }
void Engine::OnCounts(const CountsEvent& event) { impl_->OnCounts(event); }
void Engine::OnConnection(const ConnectionEvent& event) { impl_->OnConnection(event); }
void Engine::OnAllDisconnected(Timestamp time) { impl_->OnAllDisconnected(time); }
void Engine::OnClockStep(std::int64_t step_ms, Timestamp after) { impl_->OnClockStep(step_ms, after); }
void Engine::OnWatermark(Timestamp time) { impl_->OnWatermark(time); }
std::vector<WindowSummary> Engine::PendingSummaries() const { return impl_->PendingSummaries(); }
bool Engine::AwaitsSummaries() const { return impl_->AwaitsSummaries(); }
void Engine::OnWindowSummary(const WindowSummary& merged) { impl_->OnWindowSummary(merged); }

std::vector<BehaviorExplanation> Engine::Explain(const model::EntityId& entity) const {
  return impl_->Explain(entity);
}
bool Engine::IsCovered(const model::EntityId& entity, std::string_view profile) const {
  return impl_->IsCovered(entity, profile);
}
bool Engine::Knows(const model::EntityId& entity) const { return impl_->Find(entity) != nullptr; }
Timestamp Engine::watermark() const { return FromMillis(impl_->watermark_ms() == kUnset ? 0 : impl_->watermark_ms()); }
bool Engine::OnVerification(const model::EntityId& entity, const model::ViolationId& violation,
                            model::VerificationState verified) {
  return impl_->OnVerification(entity, violation, verified);
}
std::vector<TrainingSummary> Engine::TrainingSummaries() const { return impl_->TrainingSummaries(); }
std::vector<std::string> Engine::DigestBehaviors() const { return impl_->DigestBehaviors(); }
EngineStats Engine::stats() const { return impl_->stats(); }

std::uint32_t Engine::SlabOf(const model::EntityId& entity) const { return impl_->SlabOf(entity); }
std::vector<std::uint32_t> Engine::TakeChangedSlabs() { return impl_->TakeChangedSlabs(); }
void Engine::SaveSlab(std::uint32_t slab, std::string& out) const { impl_->SaveSlab(slab, out); }
Status Engine::LoadSlab(std::uint32_t slab, std::string_view bytes) { return impl_->LoadSlab(slab, bytes); }
void Engine::SetPosition(std::uint64_t position) { impl_->SetPosition(position); }
void Engine::SaveRaises(std::uint32_t slab, std::string& out) const { impl_->SaveRaises(slab, out); }
Status Engine::HoldRaises(std::uint32_t slab, std::uint64_t base, std::string_view bytes) {
  return impl_->HoldRaises(slab, base, bytes);
}
void Engine::ForgetRaises(std::uint64_t position) { impl_->ForgetRaises(position); }
std::string Engine::SaveConfig() const { return impl_->SaveConfig(); }
Status Engine::LoadConfig(std::string_view bytes) { return impl_->LoadConfig(bytes); }
std::string Engine::SaveCursor() const { return impl_->SaveCursor(); }
Status Engine::LoadCursor(std::string_view bytes) { return impl_->LoadCursor(bytes); }

}  // namespace fleetward::detect
