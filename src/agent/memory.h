// Keeps the agent small between reports.
#pragma once

namespace fleetward::agent {

/// Gives pages back that only start-up and the TLS handshake needed: free heap, and the mapped code and constants of
/// the program and its libraries. The latter are unmodified file pages, which the kernel maps again when they are
/// used. Cheap; meant for once per connection.
void ReleaseUnusedMemory();

}  // namespace fleetward::agent
