#include "fleetward/registry/import.h"

#include <openssl/crypto.h>

#include <atomic>

#include "test_registry.h"

namespace fleetward::registry {
namespace {

std::string Csr() {
  auto key = std::move(crypto::PrivateKey::GenerateP256()).value();
  return std::move(crypto::CertificateRequest::MakePem(key, "device")).value();
}

// Counts the certificates and keys that come into being in OpenSSL, read or made: a request has a key as well.
class OpensslObjects {
 public:
  OpensslObjects() {
    for (std::size_t i = 0; i < std::size(kKinds); ++i) {
      indexes_[i] = CRYPTO_get_ex_new_index(kKinds[i], 0, this, OnNew, nullptr, nullptr);
      EXPECT_GE(indexes_[i], 0);
    }
  }
  ~OpensslObjects() {
    for (std::size_t i = 0; i < std::size(kKinds); ++i) CRYPTO_free_ex_index(kKinds[i], indexes_[i]);
  }
  OpensslObjects(const OpensslObjects&) = delete;
  int count() const { return count_; }

 private:
  static constexpr int kKinds[] = {CRYPTO_EX_INDEX_X509, CRYPTO_EX_INDEX_EVP_PKEY};
  static void OnNew(void*, void*, CRYPTO_EX_DATA*, int, long, void* self) {
    ++static_cast<OpensslObjects*>(self)->count_;
  }
  int indexes_[std::size(kKinds)] = {};
  std::atomic<int> count_ = 0;  // stores run transactions on a thread of their own
};

// While a transaction is open there is no CA: what would be signed in it fails. What is read in it is counted.
class NoCaInside final : public store::ControlStore {
 public:
  NoCaInside(store::ControlStore& store, crypto::CertificateAuthority& ca) : store_(store), ca_(ca) {}
  Status Write(std::string_view actor, const WriteBody& body) override {
    ++transactions;
    return store_.Write(actor, [&](store::Transaction& tx) {
      std::optional<crypto::CertificateAuthority> away(std::move(ca_));
      int before = objects.count();
      Status done = body(tx);
      read_inside += objects.count() - before;
      ca_ = std::move(*away);
      return done;
    });
  }
  Status Read(const ReadBody& body) const override { return store_.Read(body); }
  int transactions = 0, read_inside = 0;
  OpensslObjects objects;

 private:
  store::ControlStore& store_;
  crypto::CertificateAuthority& ca_;
};

using ImportTest = TestRegistry;

TEST_F(ImportTest, RowsAreOneTransactionWithoutReadingOrSigningCertificates) {
  NoCaInside guarded(*control, ca);
  Context context{guarded, clock, arns, quotas, hub, enforcement};
  Importer importer(context, ca, keys);
  auto document = registry->policies.Create("t", model::PolicyName("p"), Document(), {});
  ASSERT_TRUE(document.ok());
  MakeGroup("g");
  std::string twice = std::move(ca.IssueDevice(std::move(crypto::PrivateKey::GenerateP256()).value(), clock.Now())).value().Pem();
  std::vector<ImportRow> rows = {
      {.thing_name = "plain", .groups = {"g"}},
      {.thing_name = "csr", .csr_pem = Csr(), .policies = {"p"}},
      {.thing_name = "pem", .certificate_pem = twice, .policies = {"p"}},
      {.thing_name = "again", .certificate_pem = twice},
      {.thing_name = "bad-csr", .csr_pem = "no request"},
      {.thing_name = "bad-group", .groups = {"nowhere"}, .csr_pem = Csr()},
      {.thing_name = "bad-policy", .csr_pem = Csr(), .policies = {"nowhere"}},
      {.thing_name = "no-certificate", .policies = {"p"}},
      {.thing_name = "both", .certificate_pem = twice, .csr_pem = Csr()},
  };
  auto results = importer.Import("t", rows);
  ASSERT_TRUE(results.ok()) << results.error().ToString();
  EXPECT_EQ(guarded.transactions, 1);
  EXPECT_GE(guarded.objects.count(), 6) << "certificates and requests are seen being read";
  EXPECT_EQ(guarded.read_inside, 0);
  ASSERT_EQ(results->size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ((*results)[i].error.empty(), i < 4) << rows[i].thing_name << ": " << (*results)[i].error;
    EXPECT_EQ(registry->things.Describe(model::ThingName(rows[i].thing_name)).ok(), i < 4) << rows[i].thing_name;
  }
  EXPECT_EQ((*results)[2].certificate_id, (*results)[3].certificate_id);
  EXPECT_EQ((*results)[2].certificate_pem, "");
  auto issued = registry->certificates.Describe(model::CertificateId((*results)[1].certificate_id));
  ASSERT_TRUE(issued.ok());
  EXPECT_EQ(issued->status, CertificateStatus::kActive);
  EXPECT_EQ(PemOf(*issued), (*results)[1].certificate_pem);
  // What failed left no certificate behind.
  EXPECT_EQ(registry->certificates.List({})->items.size(), 2U);
}

}  // namespace
}  // namespace fleetward::registry
