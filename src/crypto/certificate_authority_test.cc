#include "fleetward/crypto/certificate_authority.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "fleetward/base/file.h"

namespace fleetward::crypto {
namespace {

const Timestamp kNow = FromMillis(1'790'000'000'000);

struct CertificateAuthorityTest : ::testing::Test {
  void SetUp() override {
    char name[] = "/tmp/fleetward-ca-XXXXXX";
    dir = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(dir); }
  std::string dir;
};

TEST_F(CertificateAuthorityTest, KeepsItsIdentityAndItsKeyPrivate) {
  auto first = std::move(CertificateAuthority::OpenOrCreate(dir, kNow)).value();
  auto second = std::move(CertificateAuthority::OpenOrCreate(dir, kNow)).value();
  EXPECT_EQ(first.certificate().id(), second.certificate().id());
  struct stat info {};
  ASSERT_EQ(stat((dir + "/ca.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(CertificateAuthorityTest, LostKeyIsAnErrorNotANewCa) {
  ASSERT_TRUE(CertificateAuthority::OpenOrCreate(dir, kNow).ok());
  unlink((dir + "/ca.key").c_str());
  auto opened = CertificateAuthority::OpenOrCreate(dir, kNow);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), Code::kCorrupt);
}

TEST_F(CertificateAuthorityTest, ServerCertificateFollowsItsNames) {
  auto ca = std::move(CertificateAuthority::OpenOrCreate(dir, kNow)).value();
  auto names = std::move(ServerNames({"fleet.example", "192.0.2.7", "0:0::1"})).value();
  auto made = std::move(EnsureServerCertificate(dir, ca, names, kNow)).value();
  EXPECT_TRUE(made.issued);
  auto certificate = std::move(Certificate::FromPem(*ReadFile(made.certificate_path))).value();
  std::vector<AlternativeName> alternatives = certificate.SubjectAlternativeNames();
  auto has = [&](AlternativeKind kind, std::string value) {
    return std::find(alternatives.begin(), alternatives.end(), AlternativeName{kind, value}) != alternatives.end();
  };
  EXPECT_TRUE(has(AlternativeKind::kDnsName, "localhost"));
  EXPECT_TRUE(has(AlternativeKind::kDnsName, "fleet.example"));
  EXPECT_TRUE(has(AlternativeKind::kIpAddress, "127.0.0.1"));
  EXPECT_TRUE(has(AlternativeKind::kIpAddress, "::1"));
  EXPECT_TRUE(has(AlternativeKind::kIpAddress, "192.0.2.7"));
  EXPECT_FALSE(std::move(EnsureServerCertificate(dir, ca, names, kNow)).value().issued);
  auto more = std::move(ServerNames({"fleet.example", "other.example"})).value();
  EXPECT_TRUE(std::move(EnsureServerCertificate(dir, ca, more, kNow)).value().issued);
  // 600 of 825 days later less than a third is left.
  Timestamp later = kNow + std::chrono::hours(24 * 600);
  EXPECT_TRUE(std::move(EnsureServerCertificate(dir, ca, more, later)).value().issued);
}

TEST_F(CertificateAuthorityTest, NamesThatWouldAddEntriesAreRefused) {
  for (const char* name : {"a,DNS:evil.example", "", " ", "a b", "IP:1.2.3.4"}) {
    EXPECT_FALSE(ServerNames({name}).ok()) << name;
  }
}

}  // namespace
}  // namespace fleetward::crypto
