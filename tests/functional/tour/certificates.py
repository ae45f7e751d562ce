"""Device certificates: keys made by the service, requests, certificates of others."""
from . import ABSENT, ANY, count, fails, has, ok
from ._files import request, self_signed

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
STATE, CONFLICT = "CertificateStateException", "DeleteConflictException"
UNKNOWN = "0" * 64


def prepare(folder, _):
    return {"csr": request(folder, "device"), "weak_csr": request(folder, "weak", ("rsa:1024",)),
            "foreign": self_signed(folder, "foreign"), "foreign_2": self_signed(folder, "foreign_2"),
            "weak": self_signed(folder, "weak-certificate", key=("rsa:1024",))}


def of(name):
    return {"certificateId": f"<<{name}>>"}


STEPS = [
    ok("CreateKeysAndCertificate", {"setAsActive": True}, {
        "certificateArn": has("<<arn>>:cert/"), "certificateId": ANY, "certificatePem": has("BEGIN CERTIFICATE"),
        "keyPair.PublicKey": has("PUBLIC KEY"), "keyPair.PrivateKey": has("PRIVATE KEY")},
       save={"own": "certificateId", "own_arn": "certificateArn", "own_pem": "certificatePem"}),
    fails(INVALID, "CreateKeysAndCertificate", {"setAsActive": "perhaps"}, says="setAsActive"),
    ok("CreateCertificateFromCsr", {"certificateSigningRequest": "<<csr>>"}, {"certificatePem": has("BEGIN CERTIFICATE")},
       save={"asked": "certificateId", "asked_arn": "certificateArn"}),
    fails(INVALID, "CreateCertificateFromCsr", {"certificateSigningRequest": "nonsense"}, says="request"),
    fails(INVALID, "CreateCertificateFromCsr", {"certificateSigningRequest": "<<weak_csr>>"}, says="key"),
    ok("RegisterCertificateWithoutCA", {"certificatePem": "<<foreign>>", "status": "ACTIVE"},
       save={"foreign_id": "certificateId", "foreign_arn": "certificateArn"}),
    ok("RegisterCertificateWithoutCA", {"certificatePem": "<<foreign_2>>"}, save={"foreign_2_id": "certificateId"}),
    fails(EXISTS, "RegisterCertificateWithoutCA", {"certificatePem": "<<foreign>>"}, says="already"),
    fails("CertificateValidationException", "RegisterCertificateWithoutCA", {"certificatePem": "<<weak>>"}, says="key"),
    fails("CertificateValidationException", "RegisterCertificateWithoutCA", {"certificatePem": "nonsense"}),
    fails(INVALID, "RegisterCertificateWithoutCA", {"certificatePem": "<<weak>>", "status": "REVOKED"}, says="ACTIVE or INACTIVE"),
    fails(INVALID, "RegisterCertificateWithoutCA", {"certificatePem": ""}, says="certificatePem"),

    ok("DescribeCertificate", of("own"), {
        "certificateDescription.certificateArn": "<<own_arn>>", "certificateDescription.status": "ACTIVE",
        "certificateDescription.certificatePem": "<<own_pem>>", "certificateDescription.ownedBy": "<<account>>",
        "certificateDescription.customerVersion": 1, "certificateDescription.creationDate": ANY,
        "certificateDescription.generationId": ANY, "certificateDescription.validity.notAfter": ANY,
        "certificateDescription.certificateMode": "DEFAULT", "certificateDescription.caCertificateId": ABSENT}),
    ok("DescribeCertificate", of("asked"), {"certificateDescription.status": "INACTIVE"}),
    ok("DescribeCertificate", of("foreign_id"), {"certificateDescription.certificateMode": "SNI_ONLY"}),
    fails(MISSING, "DescribeCertificate", {"certificateId": UNKNOWN}, says=UNKNOWN),
    fails(INVALID, "DescribeCertificate", {"certificateId": "nonsense"}, says="certificateId"),
    ok("ListCertificates", {"ascendingOrder": True}, {"certificates": ANY, "certificates.0.certificateArn": ANY}),
    ok("ListCertificates", {"pageSize": 1}, {"certificates": count(1), "certificates.0.certificateId": "<<foreign_2_id>>"},
       save={"more_certificates": "nextMarker"}),
    ok("ListCertificates", {"pageSize": 1, "marker": "<<more_certificates>>"}, {"certificates.0.certificateId": "<<foreign_id>>"}),
    fails(INVALID, "ListCertificates", {"pageSize": 251}, says="pageSize"),
    fails(INVALID, "ListCertificates", {"ascendingOrder": True, "marker": "<<more_certificates>>"}, says="page token"),

    ok("UpdateCertificate", {**of("asked"), "newStatus": "ACTIVE"}),
    ok("UpdateCertificate", {**of("asked"), "newStatus": "ACTIVE"}),
    ok("DescribeCertificate", of("asked"), {"certificateDescription.status": "ACTIVE", "certificateDescription.customerVersion": 2}),
    fails(INVALID, "UpdateCertificate", {**of("asked"), "newStatus": "PENDING_TRANSFER"}, says="PENDING_TRANSFER"),
    fails(MISSING, "UpdateCertificate", {"certificateId": UNKNOWN, "newStatus": "ACTIVE"}, says=UNKNOWN),
    ok("UpdateCertificate", {**of("foreign_id"), "newStatus": "REVOKED"}),
    fails(STATE, "UpdateCertificate", {**of("foreign_id"), "newStatus": "ACTIVE"}, says="REVOKED"),

    fails(STATE, "DeleteCertificate", of("own"), says="must be deactivated"),
    ok("CreateThing", {"thingName": "holder"}),
    ok("CreatePolicy", {"policyName": "of-certificate", "policyDocument": "<<document>>"}),
    ok("AttachThingPrincipal", {"thingName": "holder", "principal": "<<own_arn>>"}),
    ok("AttachPolicy", {"policyName": "of-certificate", "target": "<<own_arn>>"}),
    ok("UpdateCertificate", {**of("own"), "newStatus": "INACTIVE"}),
    fails(CONFLICT, "DeleteCertificate", {**of("own"), "forceDelete": True}, says="Things must be detached"),
    ok("DetachThingPrincipal", {"thingName": "holder", "principal": "<<own_arn>>"}),
    fails(CONFLICT, "DeleteCertificate", of("own"), says="policies must be detached"),
    ok("DeleteCertificate", {**of("own"), "forceDelete": True}),
    fails(MISSING, "DeleteCertificate", of("own"), says="certificate"),
    fails(INVALID, "DeleteCertificate", {"certificateId": "nonsense"}, says="certificateId"),
    ok("DeletePolicy", {"policyName": "of-certificate"}),
    ok("DeleteThing", {"thingName": "holder"}),
]
