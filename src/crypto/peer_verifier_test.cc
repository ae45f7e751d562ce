// Real handshakes over memory: the verifier decides, whatever the context itself trusts.
#include "fleetward/crypto/peer_verifier.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <map>

#include "fleetward/base/encoding.h"
#include "fleetward/base/time.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/crypto/trust_folder.h"
#include "openssl.h"

namespace fleetward::crypto {
namespace {

const Timestamp kNow = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());

struct Device {
  PrivateKey key = std::move(PrivateKey::GenerateP256()).value();
  Certificate certificate;
  explicit Device(const CertificateAuthority& by) : certificate(std::move(by.IssueDevice(key, kNow)).value()) {}
  PeerFingerprint print() const {
    PeerFingerprint out{};
    std::string raw = *HexDecode(certificate.id());
    std::copy(raw.begin(), raw.end(), out.begin());
    return out;
  }
};

class PeerVerifierTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "peers-" + std::to_string(getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    PeerVerifier::Questions questions;
    questions.standing = [this](const PeerFingerprint& print) {
      auto known = known_.find(print);
      return known == known_.end() ? PeerStanding::kUnknown : known->second;
    };
    questions.refused = [this](const PeerFingerprint& print, PeerStanding, std::string_view why) {
      refused_[print] = why;
    };
    verifier_ = std::move(PeerVerifier::Install(folder_, std::move(questions))).value();
    server_.reset(SSL_CTX_new(TLS_server_method()));
    Device identity(ca_);
    Use(server_.get(), identity);
    SSL_CTX_set_verify(server_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  void TearDown() override {
    server_.reset();
    verifier_.reset();
    std::filesystem::remove_all(folder_);
  }
  static void Use(SSL_CTX* context, const Device& device) {
    SSL_CTX_use_certificate(context, device.certificate.impl().x509.get());
    SSL_CTX_use_PrivateKey(context, device.key.impl().key.get());
  }
  bool Shakes(const Device& device) {
    std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>> client(SSL_CTX_new(TLS_client_method()));
    Use(client.get(), device);
    SSL_CTX_set_verify(client.get(), SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_cert_verify_callback(client.get(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    SSL* left = SSL_new(server_.get());
    SSL* right = SSL_new(client.get());
    BIO *a = nullptr, *b = nullptr;
    BIO_new_bio_pair(&a, 0, &b, 0);
    SSL_set_bio(left, a, a);
    SSL_set_bio(right, b, b);
    int accepted = 0;
    for (int i = 0; i < 20 && accepted != 1; ++i) {
      SSL_connect(right);
      accepted = SSL_accept(left);
    }
    SSL_free(left);
    SSL_free(right);
    ERR_clear_error();
    return accepted == 1;
  }

  CertificateAuthority ca_ = std::move(CertificateAuthority::Create(kNow)).value();
  std::map<PeerFingerprint, PeerStanding> known_;
  std::map<PeerFingerprint, std::string> refused_;
  std::string folder_;
  std::unique_ptr<PeerVerifier> verifier_;
  std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>> server_;
};

TEST_F(PeerVerifierTest, AChainCountsFromTheMomentItsCaIsTrusted) {
  Device device(ca_);
  EXPECT_FALSE(Shakes(device));
  EXPECT_EQ(refused_.at(device.print()), "unable to get local issuer certificate");
  ASSERT_TRUE(TrustCa(folder_, "ca", ca_.certificate()).ok());
  EXPECT_TRUE(Shakes(device));
  ASSERT_TRUE(DistrustCa(folder_, "ca").ok());
  EXPECT_FALSE(Shakes(device));  // also one that was read already
}

TEST_F(PeerVerifierTest, ARegisteredCertificateNeedsNoChain) {
  Device device(ca_);
  known_[device.print()] = PeerStanding::kVouched;
  EXPECT_TRUE(Shakes(device));
  known_[device.print()] = PeerStanding::kAlone;
  EXPECT_FALSE(Shakes(device));
  ASSERT_TRUE(TrustCa(folder_, "ca", ca_.certificate()).ok());
  EXPECT_TRUE(Shakes(device));
}

TEST_F(PeerVerifierTest, RegisteredOrNotItMustBeAClientsAndItsTimeMustHaveCome) {
  Device device(ca_);
  Certificate server = std::move(ca_.IssueServer(device.key, {"localhost"}, kNow)).value();
  device.certificate = server;
  known_[device.print()] = PeerStanding::kVouched;
  EXPECT_FALSE(Shakes(device));
  EXPECT_EQ(refused_.size(), 1u);
  device.certificate = std::move(ca_.IssueDevice(device.key, kNow + Millis(1000LL * 86400 * 30))).value();
  known_[device.print()] = PeerStanding::kVouched;
  EXPECT_FALSE(Shakes(device));
  EXPECT_EQ(refused_.at(device.print()), "certificate is not yet valid");
}

TEST_F(PeerVerifierTest, ThereIsOneAtMost) {
  EXPECT_FALSE(PeerVerifier::Install(folder_, {}).ok());
}

}  // namespace
}  // namespace fleetward::crypto
