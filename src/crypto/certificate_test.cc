#include "fleetward/crypto/certificate.h"

#include <gtest/gtest.h>

#include "fleetward/base/encoding.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/crypto/digest.h"

namespace fleetward::crypto {
namespace {

const Timestamp kNow = FromMillis(1'790'000'000'000);

CertificateAuthority TestCa() { return std::move(CertificateAuthority::Create(kNow)).value(); }
PrivateKey TestKey() { return std::move(PrivateKey::GenerateP256()).value(); }

TEST(Certificate, DeviceCertificateHasTheServicesShape) {
  auto ca = TestCa();
  auto device = std::move(ca.IssueDevice(TestKey(), kNow)).value();
  EXPECT_EQ(Iso8601(device.not_after()), "2049-12-31T23:59:59.000Z");
  EXPECT_LE(device.not_before(), kNow);
  EXPECT_FALSE(device.IsCa());
  EXPECT_TRUE(ca.certificate().IsCa());
  EXPECT_TRUE(device.IsSignedBy(ca.certificate()));
  EXPECT_FALSE(device.IsSignedBy(TestCa().certificate()));
  EXPECT_FALSE(device.HasWeakSignature());
  EXPECT_EQ(device.id(), Sha256Hex(device.der()));
  EXPECT_EQ(device.id().size(), 64u);
}

TEST(Certificate, PemAndDerRoundTrip) {
  auto device = std::move(TestCa().IssueDevice(TestKey(), kNow)).value();
  auto again = std::move(Certificate::FromPem("noise\n" + device.Pem() + "more noise")).value();
  EXPECT_EQ(again.id(), device.id());
  EXPECT_TRUE(Certificate::FromDer(device.der()).ok());
  EXPECT_FALSE(Certificate::FromDer(device.der() + "x").ok());
  EXPECT_FALSE(Certificate::FromDer(device.der().substr(0, device.der().size() - 1)).ok());
}

TEST(Certificate, ChainKeepsItsOrderAndIsBounded) {
  auto ca = TestCa();
  auto device = std::move(ca.IssueDevice(TestKey(), kNow)).value();
  auto chain = std::move(Certificate::ChainFromPem(device.Pem() + ca.certificate().Pem())).value();
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_EQ(chain[0].id(), device.id());
  std::string many;
  for (int i = 0; i < 30; ++i) many += ca.certificate().Pem();
  EXPECT_EQ(std::move(Certificate::ChainFromPem(many)).value().size(), 10u);
}

TEST(Certificate, HostileTextIsRefused) {
  for (const std::string& text : {std::string(), std::string("hello"), std::string("-----BEGIN CERTIFICATE-----\n"),
                                  std::string("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                                  std::string("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
                                              "AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n"
                                              "-----END CERTIFICATE-----\n"),
                                  std::string(kMaxPemBytes + 1, 'A')}) {
    auto parsed = Certificate::FromPem(text);
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.error().code(), Code::kCertificateInvalid);
    EXPECT_FALSE(CertificateRequest::FromPem(text).ok());
  }
}

TEST(CertificateRequest, SubjectIsKeptAndKeyIsTheRequests) {
  auto ca = TestCa();
  auto key = TestKey();
  std::string pem = std::move(CertificateRequest::MakePem(key, "sensor-ü")).value();
  auto request = std::move(CertificateRequest::FromPem(pem)).value();
  auto device = std::move(ca.IssueDevice(request, kNow)).value();
  EXPECT_EQ(device.Subject(), (std::vector<NameAttribute>{{"CN", "sensor-ü"}}));
  EXPECT_TRUE(device.Matches(key));
  // The same request gives another certificate each time.
  EXPECT_NE(std::move(ca.IssueDevice(request, kNow)).value().id(), device.id());
}

TEST(CertificateRequest, ChangedRequestIsRefused) {
  std::string pem = std::move(CertificateRequest::MakePem(TestKey(), "sensor")).value();
  std::size_t begin = pem.find('\n') + 1, end = pem.find("-----END");
  std::string body;
  for (char c : pem.substr(begin, end - begin)) {
    if (c != '\n') body.push_back(c);
  }
  std::string der = *Base64Decode(body);
  std::size_t name = der.find("sensor");
  ASSERT_NE(name, std::string::npos);
  der[name] = 'S';
  auto changed = CertificateRequest::FromPem("-----BEGIN CERTIFICATE REQUEST-----\n" + Base64Encode(der) +
                                             "\n-----END CERTIFICATE REQUEST-----\n");
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(changed.error().code(), Code::kCertificateInvalid);
}

TEST(PrivateKey, PrintsAsTheServiceDoes) {
  auto rsa = std::move(PrivateKey::GenerateRsa2048()).value();
  EXPECT_TRUE(rsa.PrivatePem().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
  EXPECT_TRUE(rsa.PublicPem().starts_with("-----BEGIN PUBLIC KEY-----"));
  EXPECT_EQ(rsa.strength().bits, 2048);
  EXPECT_TRUE(IsAcceptableDeviceKey(rsa.strength()));
  auto again = std::move(PrivateKey::FromPem(rsa.PrivatePem())).value();
  EXPECT_EQ(again.PublicPem(), rsa.PublicPem());
  EXPECT_TRUE(TestKey().PrivatePem().starts_with("-----BEGIN PRIVATE KEY-----"));
  EXPECT_FALSE(PrivateKey::FromPem("nonsense").ok());
  EXPECT_FALSE(IsAcceptableDeviceKey({KeyKind::kRsa, 1024}));
  EXPECT_FALSE(IsAcceptableDeviceKey({KeyKind::kRsa, 16384}));
}

}  // namespace
}  // namespace fleetward::crypto
