// frame_sink SOCKET: takes the plugin's frames, acknowledges them and counts reports; each line on stdin is answered
// by the number so far. The cheapest possible server, for measuring the plugin.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "fleetward/bus/frame_listener.h"

int main(int argc, char** argv) {
  using namespace fleetward;
  if (argc < 2) return 2;
  bus::FrameListener::Options options;
  options.path = argv[1];
  auto listener = bus::FrameListener::Open(options);
  if (!listener.ok()) return 1;
  ::fcntl(STDIN_FILENO, F_SETFL, ::fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  unsigned long reports = 0;
  for (;;) {
    auto batches = (*listener)->Poll(Millis(20));
    if (!batches.ok()) return 1;
    for (const bus::EdgeBatch& batch : *batches) {
      if (batch.hello) (*listener)->Welcome(batch.connection, 0);
      for (const report::RawFrame& frame : batch.frames) reports += frame.type == report::FrameType::kReport ? 1 : 0;
      if (!batch.frames.empty()) (*listener)->Ack(batch.connection, batch.frames.back().seq);
    }
    char line[64];
    ssize_t got = ::read(STDIN_FILENO, line, sizeof line);
    if (got == 0) return 0;
    if (got > 0) {
      std::printf("%lu\n", reports);
      std::fflush(stdout);
    }
  }
}
