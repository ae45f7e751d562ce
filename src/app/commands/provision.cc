// provision: a thing, its key (made here, never sent), certificate, policy and the agent's configuration in one step.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "fleetward/base/encoding.h"
#include "fleetward/base/file.h"
#include "fleetward/crypto/certificate.h"
#include "fleetward/crypto/private_key.h"
#include "local_client.h"

namespace fleetward::app {
namespace {

std::string AgentConfiguration(const Endpoint& endpoint, const std::string& thing, const std::string& folder) {
  std::string text = "# Written by `fleetward provision`. Flags of fleetward-agent win over this file.\n";
  text += "endpoint = \"" + endpoint.mqtt_host + "\"\nport = " + std::to_string(endpoint.mqtt_port) + '\n';
  text += "root_ca = \"" + folder + "/ca.pem\"\ncertificate = \"" + folder + "/certificate.pem\"\n";
  text += "key = \"" + folder + "/private.key\"\nclient_id = \"" + thing + "\"\nthing_name = \"" + thing + "\"\n";
  text += "format = \"json\"\ninterval_seconds = 300\n";
  return text;
}

#if defined(__x86_64__)
constexpr const char* kThisArch = "amd64";
#elif defined(__aarch64__)
constexpr const char* kThisArch = "arm64";
#elif defined(__arm__)
constexpr const char* kThisArch = "armhf";
#else
constexpr const char* kThisArch = "";
#endif

/// Where packaging/agent/install.sh puts a bundle's files.
constexpr const char* kInstalledFolder = "/etc/fleetward-agent";

// Where a file of the source tree or an installation lies, seen from the program.
Result<std::string> FindAsset(std::initializer_list<const char*> places) {
  std::error_code fault;
  std::string folder = std::filesystem::read_symlink("/proc/self/exe", fault).parent_path().string();
  for (const char* place : places) {
    std::string path = folder + place;
    if (access(path.c_str(), R_OK) == 0) return path;
  }
  return Error(Code::kNotFound, std::string("cannot find ") + *places.begin() + " beside the program");
}

/// The agent's program: this machine's lies beside this one, those of others where `scripts/build agent ARCH` puts them.
Result<std::string> FindAgent(const std::string& arch) {
  if (arch.empty()) return FindAsset({"/fleetward-agent"});
  auto found = FindAsset({("/../../agent-" + arch + "/bin/fleetward-agent").c_str(),
                          ("/../lib/fleetward/" + arch + "/fleetward-agent").c_str()});
  if (!found.ok() && arch == kThisArch) return FindAsset({"/fleetward-agent"});
  if (!found.ok()) {
    return Error(Code::kNotFound, "there is no agent for " + arch + " yet: scripts/build agent " + arch + " makes it");
  }
  return found;
}

Status Copy(const std::string& from, const std::string& to, unsigned mode) {
  FW_ASSIGN(std::string content, ReadFile(from, 256 << 20));
  return WriteFileAtomic(to, content, mode);
}

Status Run(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = fork();
  if (pid < 0) return ErrnoError(errno, "starting " + words[0]);
  if (pid == 0) {
    execvp(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Error(Code::kIo, words[0] + " failed");
  }
  return {};
}

Status WriteBundle(const ProvisionArguments& arguments, const Endpoint& endpoint, const std::string& agent) {
  std::string folder = arguments.out + "/.bundle";
  std::string inner = folder + "/fleetward-agent";
  FW_TRY(MakeDirs(inner, 0700));
  for (const char* name : {"ca.pem", "certificate.pem", "private.key"}) {
    FW_TRY(Copy(arguments.out + '/' + name, inner + '/' + name, std::string_view(name) == "private.key" ? 0600 : 0644));
  }
  FW_TRY(WriteFileAtomic(inner + "/agent.toml", AgentConfiguration(endpoint, arguments.thing, kInstalledFolder), 0644));
  FW_ASSIGN(std::string unit, FindAsset({"/../../../packaging/systemd/fleetward-agent.service",
                                         "/../lib/systemd/system/fleetward-agent.service"}));
  FW_ASSIGN(std::string install, FindAsset({"/../../../packaging/agent/install.sh", "/../share/fleetward/install.sh"}));
  FW_TRY(Copy(agent, inner + "/fleetward-agent", 0755));
  FW_TRY(Copy(unit, inner + "/fleetward-agent.service", 0644));
  FW_TRY(Copy(install, inner + "/install.sh", 0755));
  FW_TRY(Run({"tar", "-C", folder, "--owner=0", "--group=0", "-czf", arguments.bundle, "fleetward-agent"}));
  std::error_code fault;
  std::filesystem::permissions(arguments.bundle, std::filesystem::perms(0600), fault);  // it holds the key
  std::filesystem::remove_all(folder, fault);
  return {};
}

}  // namespace

Status Provision(const ProvisionArguments& given) {
  ProvisionArguments arguments = given;
  std::string agent;
  if (!arguments.bundle.empty()) {
    FW_ASSIGN(agent, FindAgent(arguments.arch));  // before a thing is made in vain
  }
  FW_ASSIGN(LocalClient client, LocalClient::Open(DataFolder(arguments.data)));
  arguments.out = Absolute(arguments.out);
  FW_TRY(MakeDirs(arguments.out, 0700));
  FW_ASSIGN(auto key, crypto::PrivateKey::GenerateP256());
  FW_ASSIGN(std::string csr, crypto::CertificateRequest::MakePem(key, arguments.thing.substr(0, 64)));
  nlohmann::json body = {{"csr", csr}};
  FW_ASSIGN(auto answer, client.Call("POST", "/fleetward/v1/provision/" + PercentEncode(arguments.thing), body.dump()));
  FW_TRY(WriteFileAtomic(arguments.out + "/private.key", key.PrivatePem(), 0600));
  FW_TRY(WriteFileAtomic(arguments.out + "/certificate.pem", answer.value("certificatePem", ""), 0644));
  FW_TRY(Copy(client.endpoint().ca, arguments.out + "/ca.pem", 0644));
  FW_TRY(WriteFileAtomic(arguments.out + "/agent.toml",
                         AgentConfiguration(client.endpoint(), arguments.thing, arguments.out), 0644));
  if (!arguments.bundle.empty()) FW_TRY(WriteBundle(arguments, client.endpoint(), agent));
  if (!answer.value("enforced", true)) {
    std::fprintf(stderr, "Note: the broker has not confirmed the certificate yet; the first connects may be refused.\n");
  }
  return {};
}

int RunProvision(const ProvisionArguments& arguments) {
  Status done = Provision(arguments);
  if (!done.ok()) return Fail(done.error());
  std::printf("%s is provisioned.\n", arguments.thing.c_str());
  std::printf("Start its agent:  fleetward-agent --config %s/agent.toml\n", Absolute(arguments.out).c_str());
  if (!arguments.bundle.empty()) {
    std::printf("Or on another machine:  tar xzf %s && sudo fleetward-agent/install.sh\n", arguments.bundle.c_str());
    auto endpoint = ReadEndpoint(DataFolder(arguments.data));
    if (endpoint.ok() && (endpoint->mqtt_host == "localhost" || endpoint->mqtt_host == "127.0.0.1")) {
      std::printf("Note: the bundle says %s, which other machines cannot reach. Start the server with\n"
                  "  --set tls.hostnames=ITS.NAME  (docs/operations.md), or change `endpoint` in the bundle's agent.toml.\n",
                  endpoint->mqtt_host.c_str());
    }
  }
  return 0;
}

}  // namespace fleetward::app
