#include "fleetward/supervise/broker_config.h"

#include <gtest/gtest.h>

namespace fleetward::supervise {
namespace {

TEST(BrokerConfigTest, Listeners) {
  EXPECT_EQ(ParseMqttListener("0.0.0.0:8883")->address, "0.0.0.0");
  EXPECT_EQ(ParseMqttListener("[::1]:443")->address, "::1");
  EXPECT_EQ(ParseMqttListener("[::1]:443")->port, 443);
  EXPECT_EQ(ParseMqttListener("8883")->address, "");
  for (const char* text : {"", "x", "0", "65536", ":8883", "::1:8883", "a b:1", "1.2.3.4:", "1.2.3.4:8x"}) {
    EXPECT_FALSE(ParseMqttListener(text).ok()) << text;
  }
}

TEST(BrokerConfigTest, LinesThatMatter) {
  BrokerConfig config;
  config.listeners = {{"127.0.0.1", 8883}, {"", 443}};
  config.certificate_file = "/d/server.pem";
  config.key_file = "/d/server.key";
  config.ca_folder = "/d/ca";
  config.plugin_file = "/l/plugin.so";
  config.state_folder = "/d/broker";
  config.control_socket = "/d/run/ctl.sock";
  config.plugin_options = {{"bucket_seconds", "10"}};
  auto text = RenderBrokerConfig(config);
  ASSERT_TRUE(text.ok());
  for (const char* line :
       {"per_listener_settings false\n", "allow_anonymous true\n", "set_tcp_nodelay true\n",
        "max_packet_size 149504\n", "persistence true\n", "plugin /l/plugin.so\nplugin_opt_bucket_seconds 10\n",
        "listener 0 /d/run/ctl.sock\n", "listener 8883 127.0.0.1\n", "listener 443\n", "capath /d/ca\n",
        "require_certificate true\n", "max_qos 1\n", "persistent_client_expiration 1h\n"}) {
    EXPECT_NE(text->find(line), std::string::npos) << line;
  }
}

TEST(BrokerConfigTest, ValuesCannotAddLines) {
  BrokerConfig config;
  config.listeners = {{"127.0.0.1\nallow_anonymous false", 8883}};
  config.certificate_file = config.key_file = config.ca_folder = config.plugin_file = config.state_folder =
      config.control_socket = "/x";
  EXPECT_FALSE(RenderBrokerConfig(config).ok());
  config.listeners.clear();
  config.plugin_options = {{"edge_id", "a\nuser root"}};
  EXPECT_FALSE(RenderBrokerConfig(config).ok());
}

}  // namespace
}  // namespace fleetward::supervise
