// diy_subscriber SOCKET FOLDER: the stack that one would build oneself, for row B3: one QoS 1 subscriber of a plain
// Mosquitto (libmosquitto, over its Unix socket) that puts each report into RocksDB as one row, with one sync per batch:
// what had arrived together, at most 1,000. It neither decodes nor evaluates. Prints "up" once subscribed; then for each
// line on stdin the number of rows that are durable. Ends with stdin.
#include <mosquitto.h>
#include <poll.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

constexpr int kBatch = 1000;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "diy_subscriber: %s\n", what);
  std::exit(1);
}

struct Store {
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::WriteBatch batch;
  std::uint64_t number = 0, durable = 0;
  bool subscribed = false;

  void Take(const mosquitto_message& message) {
    char key[8];
    for (int i = 0; i < 8; ++i) key[i] = static_cast<char>(number >> (56 - 8 * i));
    ++number;
    std::string row = std::string(message.topic) + std::string(key, 8);
    batch.Put(row, rocksdb::Slice(static_cast<const char*>(message.payload), static_cast<std::size_t>(message.payloadlen)));
  }
  void Commit() {
    if (batch.Count() == 0) return;
    rocksdb::WriteOptions options;
    options.sync = true;
    if (!db->Write(options, &batch).ok()) Fail("cannot write");
    batch.Clear();
    durable = number;
  }
};

mosquitto* Connect(const char* socket, Store& store) {
  mosquitto_lib_init();
  mosquitto* client = mosquitto_new("diy", true, &store);
  mosquitto_message_callback_set(client, [](mosquitto*, void* self, const mosquitto_message* message) {
    static_cast<Store*>(self)->Take(*message);
  });
  mosquitto_connect_callback_set(client, [](mosquitto* self, void*, int refused) {
    if (refused != 0) Fail("the broker refused the connection");
    mosquitto_subscribe(self, nullptr, "$aws/things/+/defender/metrics/json", 1);
  });
  mosquitto_subscribe_callback_set(client, [](mosquitto*, void* self, int, int, const int*) {
    static_cast<Store*>(self)->subscribed = true;
  });
  if (mosquitto_connect(client, socket, 0, 60) != MOSQ_ERR_SUCCESS) Fail("cannot connect");
  return client;
}

bool Readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, 0) > 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) Fail("usage: diy_subscriber SOCKET FOLDER");
  Store store;
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::Open(options, argv[2], &db).ok()) Fail("cannot open the store");
  store.db.reset(db);
  mosquitto* client = Connect(argv[1], store);
  for (bool told = false;;) {
    int fd = mosquitto_socket(client);
    pollfd polled[2] = {{fd, static_cast<short>(mosquitto_want_write(client) ? POLLIN | POLLOUT : POLLIN), 0},
                        {0, POLLIN, 0}};
    ::poll(polled, 2, 1000);
    for (int read = 0; read < kBatch && Readable(fd); ++read) {
      if (mosquitto_loop_read(client, 1) != MOSQ_ERR_SUCCESS) Fail("the connection was closed");
    }
    store.Commit();
    if (mosquitto_want_write(client)) mosquitto_loop_write(client, 1);
    mosquitto_loop_misc(client);
    if (store.subscribed && !told) {
      told = true;
      std::puts("up");
      std::fflush(stdout);
    }
    if (polled[1].revents != 0) {
      char line[64];
      if (::read(0, line, sizeof line) <= 0) break;
      std::printf("%llu\n", static_cast<unsigned long long>(store.durable));
      std::fflush(stdout);
    }
  }
  mosquitto_destroy(client);
}
