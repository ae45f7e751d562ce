// The broker's calls for new connections and for the next turn of its loop, taken over by the names that the
// plugin exports: in force when the plugin is preloaded as well (docs/broker.md), which the supervisor does.
#pragma once

namespace fleetward::plugin {

/// The client of that pointer is no stranger any more.
void NoteAdmitted(const void* client);
/// Whether the broker's calls come here.
bool BrokerCallsAreTaken();

}  // namespace fleetward::plugin
