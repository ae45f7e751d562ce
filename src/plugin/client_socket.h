// The socket behind one of the broker's clients, which its interface for plugins does not tell.
#pragma once

#include <string_view>

namespace fleetward::plugin {

/// The descriptor of a client that is connected over TCP from `address`, or -1. In all of Mosquitto 2.0 it is the second
/// int of `struct mosquitto`; it is believed only when it is a socket whose peer has that very address.
int SocketOf(const void* broker_client, std::string_view address);

/// False when the kernel's buffer for this socket is full; true when it is not, or is not known (-1).
bool TakesMore(int socket);

}  // namespace fleetward::plugin
