#include "fleetward/registry/ca_certificates.h"

#include <algorithm>
#include <filesystem>

#include "fleetward/crypto/trust_folder.h"
#include "fleetward/registry/trust_publisher.h"
#include "test_registry.h"

namespace fleetward::registry {
namespace {

struct CaCertificatesTest : TestRegistry {
  crypto::CertificateAuthority own = std::move(crypto::CertificateAuthority::Create(clock.Now())).value();

  std::string Signed(const crypto::CertificateAuthority& by, const std::string& common_name) {
    auto key = std::move(crypto::PrivateKey::GenerateP256()).value();
    auto csr = std::move(crypto::CertificateRequest::MakePem(key, common_name)).value();
    auto request = std::move(crypto::CertificateRequest::FromPem(csr)).value();
    return by.IssueDevice(request, clock.Now())->Pem();
  }
  std::string RegistrationCode() { return *registry->ca_certificates.RegistrationCode("t"); }
  NewCaCertificate Request(bool active = true, bool automatic = false) {
    NewCaCertificate request;
    request.pem = own.certificate().Pem();
    request.verification_pem = Signed(own, RegistrationCode());
    request.active = active;
    request.auto_registration = automatic;
    return request;
  }
};

TEST_F(CaCertificatesTest, TheCodeStaysUntilItIsDeleted) {
  EXPECT_CODE(registry->ca_certificates.DeleteRegistrationCode("t"), Code::kNotFound);
  std::string code = RegistrationCode();
  EXPECT_EQ(code.size(), 64u);
  EXPECT_EQ(RegistrationCode(), code);
  EXPECT_OK(registry->ca_certificates.DeleteRegistrationCode("t"));
  EXPECT_NE(RegistrationCode(), code);
}

TEST_F(CaCertificatesTest, RegistrationNeedsProofOfTheKey) {
  NewCaCertificate request = Request();
  auto with = [&](std::optional<std::string> verification, CertificateMode mode = CertificateMode::kDefault) {
    NewCaCertificate other = request;
    other.verification_pem = std::move(verification);
    other.mode = mode;
    return registry->ca_certificates.Register("t", other);
  };
  EXPECT_CODE(with(std::nullopt), Code::kInvalidArgument);
  EXPECT_CODE(with("nonsense"), Code::kCertificateInvalid);
  EXPECT_CODE(with(Signed(own, "not the code")), Code::kRegistrationCodeInvalid);
  auto stranger = std::move(crypto::CertificateAuthority::Create(clock.Now())).value();
  EXPECT_CODE(with(Signed(stranger, RegistrationCode())), Code::kCertificateInvalid);
  EXPECT_CODE(with(Signed(own, RegistrationCode()), CertificateMode::kSniOnly), Code::kInvalidArgument);
  NewCaCertificate leaf = request;
  leaf.pem = Signed(own, "a leaf");
  EXPECT_CODE(registry->ca_certificates.Register("t", leaf), Code::kCertificateInvalid);

  auto made = registry->ca_certificates.Register("t", request);
  ASSERT_TRUE(made.ok()) << made.error().ToString();
  EXPECT_EQ(made->id, own.certificate().id());
  EXPECT_CODE(registry->ca_certificates.Register("t", request), Code::kAlreadyExists);
  EXPECT_EQ(PemOf(*registry->ca_certificates.Describe(made->id)), request.pem);
}

TEST_F(CaCertificatesTest, AnOldCodeProvesNothing) {
  NewCaCertificate request = Request();
  EXPECT_OK(registry->ca_certificates.DeleteRegistrationCode("t"));
  EXPECT_CODE(registry->ca_certificates.Register("t", request), Code::kRegistrationCodeInvalid);
}

TEST_F(CaCertificatesTest, SniOnlyNeedsNoProof) {
  NewCaCertificate request = Request();
  request.verification_pem.reset();
  request.mode = CertificateMode::kSniOnly;
  EXPECT_EQ(registry->ca_certificates.Register("t", request)->mode, CertificateMode::kSniOnly);
}

TEST_F(CaCertificatesTest, UpdateAndDelete) {
  NewCaCertificate request = Request(true, true);
  request.config = RegistrationConfig{{}, {}, "template"};
  std::string id = registry->ca_certificates.Register("t", request)->id;
  EXPECT_CODE(registry->ca_certificates.Delete("t", id), Code::kCertificateState);
  EXPECT_EQ(registry->ca_certificates.List("template", {})->items.size(), 1u);
  EXPECT_EQ(registry->ca_certificates.List("other", {})->items.size(), 0u);
  EXPECT_OK(registry->ca_certificates.Update("t", id, {.active = false}));
  EXPECT_TRUE(registry->ca_certificates.Describe(id)->auto_registration);
  EXPECT_OK(registry->ca_certificates.Update("t", id, {.remove_auto_registration = true}));
  auto described = *registry->ca_certificates.Describe(id);
  EXPECT_FALSE(described.active || described.auto_registration || described.config);
  EXPECT_EQ(described.customer_version, 3);
  EXPECT_OK(registry->ca_certificates.Delete("t", id));
  EXPECT_CODE(registry->ca_certificates.Describe(id), Code::kNotFound);
  EXPECT_CODE(registry->ca_certificates.Update("t", id, {.active = true}), Code::kNotFound);
  EXPECT_OK(registry->ca_certificates.Register("t", Request()));  // nothing of it is left
}

TEST_F(CaCertificatesTest, CertificatesOfARegisteredCa) {
  std::string pem = Signed(own, "device");
  auto registered = [&](std::optional<std::string> ca = {}, CertificateStatus status = CertificateStatus::kActive) {
    return registry->certificates.RegisterWithCa("t", pem, ca, status);
  };
  EXPECT_CODE(registered(), Code::kCertificateInvalid);
  std::string id = registry->ca_certificates.Register("t", Request(false))->id;
  EXPECT_CODE(registered(), Code::kCertificateState);
  EXPECT_OK(registry->ca_certificates.Update("t", id, {.active = true}));
  EXPECT_CODE(registered({}, CertificateStatus::kRevoked), Code::kInvalidArgument);
  EXPECT_CODE(registered(ca.certificate().Pem()), Code::kCertificateInvalid);  // another one
  auto made = registered(own.certificate().Pem());
  ASSERT_TRUE(made.ok()) << made.error().ToString();
  EXPECT_EQ(made->ca_id, id);
  EXPECT_CODE(registered(), Code::kAlreadyExists);
  EXPECT_EQ(registry->certificates.ListByCa(id, {})->items.size(), 1u);
  EXPECT_EQ(registry->certificates.ListByCa(std::string(64, 'a'), {})->items.size(), 0u);
  EXPECT_OK(registry->certificates.UpdateStatus("t", made->id, CertificateStatus::kInactive));
  EXPECT_OK(registry->certificates.Delete("t", made->id, false));
  EXPECT_EQ(registry->certificates.ListByCa(id, {})->items.size(), 0u);
}

TEST_F(CaCertificatesTest, JustInTime) {
  std::string der = crypto::Certificate::FromPem(Signed(own, "device"))->der();
  EXPECT_FALSE(registry->certificates.RegisterJustInTime(der)->has_value());
  std::string id = registry->ca_certificates.Register("t", Request(true, false))->id;
  EXPECT_FALSE(registry->certificates.RegisterJustInTime(der)->has_value());
  EXPECT_OK(registry->ca_certificates.Update("t", id, {.auto_registration = true}));
  EXPECT_OK(registry->ca_certificates.Update("t", id, {.active = false}));
  EXPECT_FALSE(registry->certificates.RegisterJustInTime(der)->has_value());
  EXPECT_OK(registry->ca_certificates.Update("t", id, {.active = true}));
  auto made = registry->certificates.RegisterJustInTime(der);
  ASSERT_TRUE(made.ok() && made->has_value());
  EXPECT_EQ((*made)->status, CertificateStatus::kPendingActivation);
  EXPECT_EQ((*made)->ca_id, id);
  EXPECT_EQ((*registry->certificates.RegisterJustInTime(der))->id, (*made)->id);
  EXPECT_OK(registry->certificates.UpdateStatus("t", (*made)->id, CertificateStatus::kActive));
  EXPECT_CODE(registry->certificates.RegisterJustInTime("nonsense"), Code::kCertificateInvalid);
}

TEST_F(CaCertificatesTest, TheTrustFolderFollows) {
  std::string folder = ::testing::TempDir() + "trust-" + std::to_string(getpid());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(crypto::TrustCa(folder, "fleetward-ca", ca.certificate()).ok());
  auto names = [&] {
    auto listed = *crypto::TrustedNames(folder);
    std::sort(listed.begin(), listed.end());
    return listed;
  };
  TrustPublisher trust(folder);
  ASSERT_TRUE(trust.Start(*control).ok());
  hub.Add(trust);
  std::string id = registry->ca_certificates.Register("t", Request())->id;
  EXPECT_EQ(names(), (std::vector<std::string>{"ca-" + id, "fleetward-ca"}));
  EXPECT_OK(registry->ca_certificates.Update("t", id, {.active = false}));
  EXPECT_EQ(names().size(), 2u);  // its registered certificates go on
  EXPECT_OK(registry->ca_certificates.Delete("t", id));
  EXPECT_EQ(names(), std::vector<std::string>{"fleetward-ca"});
  // What a crash left behind is put right at the next start.
  std::string again = registry->ca_certificates.Register("t", Request())->id;
  ASSERT_TRUE(crypto::DistrustCa(folder, "ca-" + again).ok());
  ASSERT_TRUE(crypto::TrustCa(folder, "ca-gone", own.certificate()).ok());
  TrustPublisher next(folder);
  ASSERT_TRUE(next.Start(*control).ok());
  EXPECT_EQ(names(), (std::vector<std::string>{"ca-" + again, "fleetward-ca"}));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace fleetward::registry
