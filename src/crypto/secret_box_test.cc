#include "fleetward/crypto/secret_box.h"

#include <gtest/gtest.h>

namespace fleetward::crypto {
namespace {

TEST(SecretBox, OpensOnlyWhatItSealedForThisContext) {
  SecretBox box(std::string(32, 'k')), other(std::string(32, 'o'));
  std::string sealed = box.Seal("secret", "key/1");
  EXPECT_EQ(sealed.find("secret"), std::string::npos);
  EXPECT_EQ(*box.Open(sealed, "key/1"), "secret");
  EXPECT_NE(box.Seal("secret", "key/1"), sealed);
  EXPECT_FALSE(box.Open(sealed, "key/2").ok());
  EXPECT_FALSE(other.Open(sealed, "key/1").ok());
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] ^= 1;
    EXPECT_FALSE(box.Open(changed, "key/1").ok()) << i;
    EXPECT_FALSE(box.Open(sealed.substr(0, i), "key/1").ok()) << i;
  }
  EXPECT_EQ(*box.Open(box.Seal("", ""), ""), "");
}

}  // namespace
}  // namespace fleetward::crypto
