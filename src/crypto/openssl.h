// RAII around OpenSSL's objects; the implementation structs of the public classes.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "fleetward/crypto/certificate.h"
#include "fleetward/crypto/private_key.h"

namespace fleetward::crypto {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioHandle = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using PkeyHandle = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using X509Handle = std::unique_ptr<X509, Freer<X509_free>>;
using RequestHandle = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using NameHandle = std::unique_ptr<X509_NAME, Freer<X509_NAME_free>>;

struct PrivateKey::Impl {
  PkeyHandle key;
};
struct Certificate::Impl {
  X509Handle x509;
  std::string der;
  std::string id;
};
struct CertificateRequest::Impl {
  RequestHandle request;
};

/// A read-only BIO over `text`, which must outlive it.
BioHandle ReadBio(std::string_view text);
std::string BioText(BIO* bio);

/// OpenSSL asks for passwords on the terminal unless told not to.
int NoPassword(char*, int, int, void*);

/// kInternal with OpenSSL's reason as detail; empties its error queue.
Error OpensslError(std::string_view doing);

KeyStrength StrengthOf(const EVP_PKEY* key);

}  // namespace fleetward::crypto
