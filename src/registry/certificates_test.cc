#include "fleetward/registry/certificates.h"

#include "test_registry.h"

namespace fleetward::registry {
namespace {

struct CertificatesTest : TestRegistry {};

TEST_F(CertificatesTest, KeysAndCertificateBelongTogether) {
  auto issued = registry->certificates.CreateKeysAndCertificate("t", true);
  ASSERT_TRUE(issued.ok());
  auto x509 = *crypto::Certificate::FromPem(issued->pem);
  EXPECT_TRUE(x509.Matches(*crypto::PrivateKey::FromPem(issued->private_key_pem)));
  EXPECT_EQ(x509.id(), issued->certificate.id.value());
  EXPECT_TRUE(x509.IsSignedBy(ca.certificate()));
  EXPECT_EQ(issued->certificate.status, CertificateStatus::kActive);
  auto described = *registry->certificates.Describe(issued->certificate.id);
  EXPECT_EQ(PemOf(described), issued->pem);
  EXPECT_EQ(Iso8601(described.not_after), "2049-12-31T23:59:59.000Z");
  // The secret is kept nowhere.
  (void)control->Read([&](const store::Reader& reader) {
    for (const char* table : {"certificates", "certificate_bodies"}) {
      (void)reader.Scan(store::Table{table}, "", "", [&](auto, std::string_view value) {
        EXPECT_EQ(value.find("PRIVATE"), std::string_view::npos);
        return true;
      });
    }
    return Status();
  });
}

TEST_F(CertificatesTest, BadRequestIsInvalid) {
  EXPECT_CODE(registry->certificates.CreateFromCsr("t", "nonsense", true), Code::kInvalidArgument);
}

TEST_F(CertificatesTest, StatesChangeAsTheServiceHasThem) {
  auto certificate = MakeCertificate(false);
  EXPECT_OK(registry->certificates.UpdateStatus("t", certificate.id, CertificateStatus::kActive));
  int settled = enforcement.settled;
  EXPECT_OK(registry->certificates.UpdateStatus("t", certificate.id, CertificateStatus::kInactive));
  EXPECT_EQ(enforcement.settled, settled + 1);
  auto described = *registry->certificates.Describe(certificate.id);
  EXPECT_EQ(described.customer_version, 3);
  for (auto status : {CertificateStatus::kPendingActivation, CertificateStatus::kPendingTransfer}) {
    EXPECT_CODE(registry->certificates.UpdateStatus("t", certificate.id, status), Code::kInvalidArgument);
  }
  EXPECT_OK(registry->certificates.UpdateStatus("t", certificate.id, CertificateStatus::kRevoked));
  EXPECT_CODE(registry->certificates.UpdateStatus("t", certificate.id, CertificateStatus::kActive),
              Code::kCertificateState);
  EXPECT_CODE(registry->certificates.UpdateStatus("t", model::CertificateId(std::string(64, 'a')),
                                                  CertificateStatus::kActive),
              Code::kNotFound);
}

TEST_F(CertificatesTest, DeleteAsksForEverythingToBeLetGo) {
  auto certificate = MakeCertificate();
  MakeThing("a");
  EXPECT_OK(registry->things.AttachPrincipal("t", model::ThingName("a"), ArnOf(certificate)));
  EXPECT_OK(registry->policies.Create("t", model::PolicyName("p"), Document()));
  EXPECT_OK(registry->policies.Attach("t", model::PolicyName("p"), ArnOf(certificate)));
  auto active = registry->certificates.Delete("t", certificate.id, true);
  EXPECT_CODE(active, Code::kCertificateState);
  EXPECT_EQ(active.error().message(), "Certificate must be deactivated (not ACTIVE) before deletion. Id: " +
                                          certificate.id.value());
  EXPECT_OK(registry->certificates.UpdateStatus("t", certificate.id, CertificateStatus::kInactive));
  EXPECT_CODE(registry->certificates.Delete("t", certificate.id, true), Code::kDeleteConflict);
  EXPECT_OK(registry->things.DetachPrincipal("t", model::ThingName("a"), ArnOf(certificate)));
  EXPECT_CODE(registry->certificates.Delete("t", certificate.id, false), Code::kDeleteConflict);
  EXPECT_OK(registry->certificates.Delete("t", certificate.id, true));
  EXPECT_TRUE(registry->policies.ListTargets(model::PolicyName("p"), false, {})->items.empty());
  EXPECT_TRUE(registry->certificates.List({})->items.empty());
  EXPECT_CODE(registry->certificates.Delete("t", certificate.id, true), Code::kNotFound);
}

TEST_F(CertificatesTest, ListsByTimeBothWays) {
  std::vector<std::string> made;
  for (int i = 0; i < 5; ++i) {
    made.push_back(MakeCertificate().id.value());
    clock.Advance(Millis(10));
  }
  auto walk = [&](bool descending) {
    std::vector<std::string> ids;
    PageRequest request{.after = "", .limit = 2, .descending = descending};
    do {
      auto page = *registry->certificates.List(request);
      for (const auto& certificate : page.items) ids.push_back(certificate.id.value());
      request.after = page.next;
    } while (!request.after.empty());
    return ids;
  };
  EXPECT_EQ(walk(false), made);
  std::reverse(made.begin(), made.end());
  EXPECT_EQ(walk(true), made);
}

TEST_F(CertificatesTest, RegisteringWithoutCaChecksAndRefusesTwice) {
  auto foreign = *crypto::CertificateAuthority::Create(clock.Now());
  auto key = *crypto::PrivateKey::GenerateP256();
  std::string pem = foreign.IssueDevice(key, clock.Now())->Pem();
  auto registered = registry->certificates.RegisterWithoutCa("t", pem, CertificateStatus::kActive);
  ASSERT_TRUE(registered.ok());
  auto again = registry->certificates.RegisterWithoutCa("t", pem, CertificateStatus::kActive);
  EXPECT_CODE(again, Code::kAlreadyExists);
  EXPECT_EQ(again.error().fields().at("resourceId"), registered->id.value());
  EXPECT_CODE(registry->certificates.RegisterWithoutCa("t", "x", CertificateStatus::kActive), Code::kCertificateInvalid);
  EXPECT_CODE(registry->certificates.RegisterWithoutCa("t", pem, CertificateStatus::kRevoked), Code::kInvalidArgument);
}

TEST_F(CertificatesTest, ProvisioningIsOneStepAndLeastPrivilege) {
  auto key = *crypto::PrivateKey::GenerateP256();
  auto csr = *crypto::CertificateRequest::MakePem(key, "dev");
  auto provisioned = ProvisionThing(*registry, "t", model::ThingName("dev"), csr);
  ASSERT_TRUE(provisioned.ok()) << provisioned.error().ToString();
  auto fingerprint = *policy::FingerprintOf(provisioned->certificate.id.value());
  EXPECT_TRUE(directory.IsAttached(fingerprint, "dev"));
  EXPECT_EQ(registry->policies.ListAttached(ArnOf(provisioned->certificate), false, {})->items,
            std::vector{model::PolicyName(std::string(kProvisionPolicy))});
  // A second device shares the policy; a second key for the same device is fine too.
  EXPECT_OK(ProvisionThing(*registry, "t", model::ThingName("dev2"), csr));
  EXPECT_OK(ProvisionThing(*registry, "t", model::ThingName("dev"), csr));
  EXPECT_CODE(ProvisionThing(*registry, "t", model::ThingName("no such name"), csr), Code::kInvalidArgument);
}

}  // namespace
}  // namespace fleetward::registry
