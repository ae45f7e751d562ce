// docs/configuration.md is made of the option tables. FLEETWARD_UPDATE=1 writes it anew.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "agent_options.h"
#include "fleetward/base/file.h"
#include "fleetward/config/server_options.h"

namespace fleetward::agent {
namespace {

TEST(ConfigurationPage, FollowsTheTables) {
  config::ServerOptions server;
  AgentOptions agent;
  std::string page =
      "# Configuration\n\n"
      "Made from the option tables in `src/config/server_options.cc` and `src/agent/agent_options.cc`; a test compares.\n"
      "Files are TOML: `api.listen` is the key `listen` in the table `[api]`. On the command line every key can be given\n"
      "as `--set key=value`, which wins over the file; lists are then split at commas. Unknown keys, wrong types and\n"
      "values out of bounds are errors that name the line.\n\n" +
      config::ReferencePage(config::ServerTable(), &server) + "\n" + config::ReferencePage(AgentTable(), &agent);
  std::string path = FLEETWARD_SOURCE_DIR "/docs/configuration.md";
  if (getenv("FLEETWARD_UPDATE") != nullptr) {
    ASSERT_TRUE(WriteFileAtomic(path, page).ok());
  }
  Result<std::string> committed = ReadFile(path);
  ASSERT_TRUE(committed.ok());
  EXPECT_EQ(*committed, page) << "run agent_test with FLEETWARD_UPDATE=1";
}

TEST(ConfigurationPage, ExampleOfTheBundleIsGood) {
  AgentOptions options;
  Status applied = config::ApplyFile(AgentTable(), FLEETWARD_SOURCE_DIR "/packaging/agent/agent.toml.example", &options);
  EXPECT_TRUE(applied.ok()) << applied.error().ToString();
  EXPECT_TRUE(CheckOptions(options).ok());
}

}  // namespace
}  // namespace fleetward::agent
