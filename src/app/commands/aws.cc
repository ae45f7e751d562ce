// aws and env: the stock CLI with endpoint, CA and credentials of a data folder.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "commands.h"
#include "local_client.h"

namespace fleetward::app {
namespace {

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + '\'';
}

}  // namespace

int RunAws(const std::string& data, const std::vector<std::string>& arguments) {
  DataFolder folder(Absolute(data));
  auto client = LocalClient::Open(folder);
  if (!client.ok()) return Fail(client.error());
  setenv("AWS_SHARED_CREDENTIALS_FILE", folder.credentials().c_str(), 1);
  setenv("AWS_CONFIG_FILE", "/dev/null", 1);
  setenv("AWS_PROFILE", "fleetward", 1);
  setenv("AWS_DEFAULT_REGION", client->credentials().region.c_str(), 1);
  setenv("AWS_CA_BUNDLE", client->endpoint().ca.c_str(), 1);
  setenv("AWS_PAGER", "", 1);
  unsetenv("AWS_ACCESS_KEY_ID");
  unsetenv("AWS_SECRET_ACCESS_KEY");
  unsetenv("AWS_SESSION_TOKEN");
  // Debian's aws does not read AWS_ENDPOINT_URL; without the option it would ask the public service.
  std::vector<std::string> words = {"aws", "--endpoint-url", client->endpoint().api};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execvp("aws", argv.data());
  return Fail(Error(Code::kNotFound, std::string("cannot start aws: ") + std::strerror(errno) + " (apt install awscli)"));
}

int RunEnv(const std::string& data) {
  DataFolder folder(Absolute(data));
  auto endpoint = ReadEndpoint(folder);
  auto credentials = ReadCredentials(folder);
  if (!endpoint.ok()) return Fail(endpoint.error());
  if (!credentials.ok()) return Fail(credentials.error());
  std::printf("export AWS_SHARED_CREDENTIALS_FILE=%s\n", Quoted(folder.credentials()).c_str());
  std::printf("export AWS_PROFILE=fleetward\n");
  std::printf("export AWS_DEFAULT_REGION=%s\n", Quoted(credentials->region).c_str());
  std::printf("export AWS_CA_BUNDLE=%s\n", Quoted(endpoint->ca).c_str());
  std::printf("export AWS_ENDPOINT_URL=%s\n", Quoted(endpoint->api).c_str());
  std::printf("export AWS_PAGER=\n");
  std::printf("export FLEETWARD_DATA=%s\n", Quoted(folder.root()).c_str());
  std::printf("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN\n");
  // Older versions of the stock CLI ignore AWS_ENDPOINT_URL.
  std::printf("aws() { command aws --endpoint-url %s \"$@\"; }\n", Quoted(endpoint->api).c_str());
  return 0;
}

}  // namespace fleetward::app
