// What certificates from outside must be like before they are kept.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "access.h"
#include "fleetward/crypto/certificate.h"

namespace fleetward::registry {

/// Key, signature and validity of a certificate that comes from outside. Error: kCertificateInvalid.
Status CheckForeignCertificate(const crypto::Certificate& certificate, Timestamp now, std::string_view what);

/// Is a CA. Error: kCertificateInvalid.
Status CheckCaCertificate(const crypto::Certificate& certificate, Timestamp now);

/// The proof that whoever registers a CA has its key: signed by it, and named by the account's code. Errors:
/// kCertificateInvalid, kRegistrationCodeInvalid.
Status CheckVerification(std::string_view pem, const crypto::Certificate& ca, std::string_view code, Timestamp now);

/// The registered CAs that a certificate is signed by: same name, and the signature holds. Usually one.
Result<std::vector<CaCertificate>> SignersOf(ConstReader reader, const crypto::Certificate& certificate);

Result<std::optional<CaCertificate>> FindCaCertificate(ConstReader reader, std::string_view id);  // with its DER form

/// Key of kCaCertificatesBySubject.
std::string SubjectKey(std::string_view subject_der, std::string_view id);

}  // namespace fleetward::registry
