// api_bench [--smoke]: what a call costs around its handler: authentication, routing, parsing, checks, answer. The
// floor, taken in the same run, is what no server can leave out: one SHA-256 of the body and the MACs of the signature.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "fleetward/base/log.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/crypto/sigv4.h"
#include "testing/fake_service.h"

namespace {

using namespace fleetward;

template <class Work>
double MicrosEach(std::chrono::milliseconds time, Work work) {
  auto start = std::chrono::steady_clock::now();
  std::size_t count = 0;
  std::chrono::nanoseconds passed{};
  do {
    for (int i = 0; i < 64; ++i, ++count) work();
    passed = std::chrono::steady_clock::now() - start;
  } while (passed < time);
  return static_cast<double>(passed.count()) / 1000.0 / static_cast<double>(count);
}

void Compare(std::chrono::milliseconds time, const char* name, api::testing::FakeService& service, const char* method,
             const char* target, const char* body) {
  http::Request request{method, target, {{"Host", "127.0.0.1:8443"}, {"User-Agent", "aws-cli"}}, body, "127.0.0.1"};
  crypto::HttpCall call{request.method, request.target, request.headers, request.body};
  auto added = crypto::SignCall(call, {service.admin.id, service.admin.secret, "us-east-1", "iot"}, service.clock.Now());
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  double floor = MicrosEach(time, [&] {
    std::string key = crypto::Sha256(request.body);
    for (int i = 0; i < 5; ++i) key = crypto::HmacSha256(key, "aws4_request");
    (void)crypto::Sha256(request.target + request.headers[0].second);
  });
  double whole = MicrosEach(time, [&] {
    if (service.router->Serve(request).status != 200) std::abort();
  });
  std::printf("%-24s %8.2f us  floor (digests and MACs) %6.2f us  ratio %.2f\n", name, whole, floor, whole / floor);
}

}  // namespace

int main(int argc, char** argv) {
  const bool smoke = argc > 1 && std::string_view(argv[1]) == "--smoke";
  const auto time = std::chrono::milliseconds(smoke ? 10 : 400);
  log::SetLevel(log::Level::kError);
  SystemClock clock;
  api::testing::FakeService service(clock, {.calls_per_second = 0});
  Compare(time, "DescribeEndpoint", service, "GET", "/endpoint?endpointType=iot%3AData", "");
  Compare(time, "ListThings (10)", service, "GET", "/things?maxResults=10", "");
  Compare(time, "CreateSecurityProfile", service, "POST", "/security-profiles/p",
          R"({"behaviors":[{"name":"bytesOut","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than",)"
          R"("value":{"count":10000},"durationSeconds":300,"consecutiveDatapointsToAlarm":1}}]})");
  return 0;
}
