"""An operator's own CAs, and certificates registered by them."""
from . import ABSENT, ANY, count, fails, has, ok
from ._files import openssl, request

SETTINGS = {"quota.cas_per_subject": "2"}

INVALID, MISSING, EXISTS = "InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
STATE, VALIDATION = "CertificateStateException", "CertificateValidationException"
UNKNOWN = "0" * 64


def authority(folder, name, key=None):
    """A CA with the subject that all here share."""
    source = ("-key", key) if key else ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key")
    openssl(folder, "req", "-x509", "-new", *source, "-out", f"{name}.pem", "-subj", "/CN=tour", "-days", "30",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return (folder / f"{name}.pem").read_text()


def signed(folder, ca, name, subject=None, ca_key=None):
    request(folder, name)
    openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", f"/CN={subject or name}", "-out", f"{name}.csr")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", ca_key or f"{ca}.key", "-days", "30",
            "-CAcreateserial", "-out", f"{name}.pem")
    return (folder / f"{name}.pem").read_text()


def prepare(folder, iot):
    code = iot.get_registration_code()["registrationCode"]
    made = {"code": code, "ca": authority(folder, "ca"), "ca_twin": authority(folder, "twin", "ca.key"),
            "ca_third": authority(folder, "third"), "ca_other": authority(folder, "other")}
    made["proof"] = signed(folder, "ca", "proof", code)
    made["proof_twin"] = signed(folder, "twin", "proof_twin", code, "ca.key")
    made["proof_third"] = signed(folder, "third", "proof_third", code)
    made["proof_wrong"] = signed(folder, "ca", "proof_wrong", "f" * 64)
    for name in ("device_1", "device_2", "device_3"):
        made[name] = signed(folder, "ca", name)
    made["device_foreign"] = signed(folder, "other", "device_foreign")
    return made


CA = {"caCertificate": "<<ca>>", "verificationCertificate": "<<proof>>"}
ID = {"certificateId": "<<ca_id>>"}

STEPS = [
    ok("GetRegistrationCode", {}, {"registrationCode": "<<code>>"}),
    fails(INVALID, "RegisterCACertificate", {"caCertificate": "<<ca>>"}, says="verificationCertificate"),
    fails("RegistrationCodeValidationException", "RegisterCACertificate", {**CA, "verificationCertificate": "<<proof_wrong>>"}),
    fails(VALIDATION, "RegisterCACertificate", {**CA, "caCertificate": "<<ca_other>>"}),
    fails(VALIDATION, "RegisterCACertificate", {**CA, "caCertificate": "nonsense"}),
    ok("RegisterCACertificate", {**CA, "setAsActive": True, "tags": [{"Key": "site", "Value": "north"}]},
       {"certificateArn": has("<<arn>>:cacert/")}, save={"ca_id": "certificateId", "ca_arn": "certificateArn"}),
    fails(EXISTS, "RegisterCACertificate", CA),
    ok("ListTagsForResource", {"resourceArn": "<<ca_arn>>"}, {"tags": [{"Key": "site", "Value": "north"}]}),
    ok("TagResource", {"resourceArn": "<<ca_arn>>", "tags": [{"Key": "more", "Value": "x"}]}),
    ok("UntagResource", {"resourceArn": "<<ca_arn>>", "tagKeys": ["site"]}),
    ok("ListTagsForResource", {"resourceArn": "<<ca_arn>>"}, {"tags": count(1)}),
    ok("DescribeCACertificate", ID, {
        "certificateDescription.certificateArn": "<<ca_arn>>", "certificateDescription.status": "ACTIVE",
        "certificateDescription.autoRegistrationStatus": "DISABLE", "certificateDescription.creationDate": ANY,
        "certificateDescription.certificateMode": "DEFAULT", "registrationConfig": ABSENT}),
    fails(MISSING, "DescribeCACertificate", {"certificateId": UNKNOWN}),
    fails(INVALID, "DescribeCACertificate", {"certificateId": "nonsense"}),

    ok("RegisterCertificate", {"certificatePem": "<<device_1>>", "status": "ACTIVE"}, {"certificateArn": has("<<arn>>:cert/")},
       save={"device_1_id": "certificateId"}),
    fails(EXISTS, "RegisterCertificate", {"certificatePem": "<<device_1>>"}),
    fails(VALIDATION, "RegisterCertificate", {"certificatePem": "<<device_foreign>>"}),
    fails(INVALID, "RegisterCertificate", {"certificatePem": "<<device_2>>", "status": "REVOKED"}),
    ok("DescribeCertificate", {"certificateId": "<<device_1_id>>"}, {"certificateDescription.caCertificateId": "<<ca_id>>",
                                                                     "certificateDescription.status": "ACTIVE"}),
    # A second CA of the same subject and key: which of them must then be said.
    ok("RegisterCACertificate", {"caCertificate": "<<ca_twin>>", "verificationCertificate": "<<proof_twin>>", "setAsActive": True},
       save={"twin_id": "certificateId"}),
    fails("LimitExceededException", "RegisterCACertificate",
          {"caCertificate": "<<ca_third>>", "verificationCertificate": "<<proof_third>>"}, says="2"),
    fails("CertificateConflictException", "RegisterCertificate", {"certificatePem": "<<device_2>>"}),
    ok("RegisterCertificate", {"certificatePem": "<<device_2>>", "caCertificatePem": "<<ca_twin>>"}, save={"device_2_id": "certificateId"}),
    ok("ListCertificatesByCA", {"caCertificateId": "<<twin_id>>"}, {"certificates": count(1), "certificates.0.certificateId": "<<device_2_id>>"}),
    fails(INVALID, "ListCertificatesByCA", {"caCertificateId": "nonsense"}),
    ok("ListCACertificates", {"ascendingOrder": True}, {"certificates": count(2), "certificates.0.certificateId": "<<ca_id>>"}),
    ok("ListCACertificates", {"pageSize": 1}, {"certificates.0.certificateId": "<<twin_id>>"}, save={"cas": "nextMarker"}),
    ok("ListCACertificates", {"pageSize": 1, "marker": "<<cas>>"}, {"certificates.0.certificateId": "<<ca_id>>"}),
    fails(INVALID, "ListCACertificates", {"pageSize": 0}, says="pageSize"),
    ok("UpdateCACertificate", {"certificateId": "<<twin_id>>", "newStatus": "INACTIVE"}),
    fails(STATE, "RegisterCertificate", {"certificatePem": "<<device_3>>", "caCertificatePem": "<<ca_twin>>"}),
    ok("UpdateCACertificate", {**ID, "newAutoRegistrationStatus": "ENABLE"}),
    ok("DescribeCACertificate", ID, {"certificateDescription.autoRegistrationStatus": "ENABLE"}),
    fails(MISSING, "UpdateCACertificate", {"certificateId": UNKNOWN, "newStatus": "ACTIVE"}),
    fails(INVALID, "UpdateCACertificate", {**ID, "newStatus": "NOTHING"}, says="newStatus"),
    fails(STATE, "DeleteCACertificate", ID),
    ok("DeleteCACertificate", {"certificateId": "<<twin_id>>"}),
    fails(MISSING, "DeleteCACertificate", {"certificateId": "<<twin_id>>"}),
    fails(INVALID, "DeleteCACertificate", {"certificateId": "nonsense"}),
    # A template registers by CA as well.
    ok("RegisterThing", {"templateBody": '{"Parameters":{"P":{"Type":"String"},"C":{"Type":"String"}},"Resources":{"c":{"Type":'
                         '"AWS::IoT::Certificate","Properties":{"CertificatePem":{"Ref":"P"},"CACertificatePem":{"Ref":"C"}}}}}',
                         "parameters": {"P": "<<device_3>>", "C": "<<ca>>"}}, {"resourceArns.c": has("<<arn>>:cert/")}),
    ok("ListCertificatesByCA", {"caCertificateId": "<<ca_id>>"}, {"certificates": count(2)}),
    ok("DeleteRegistrationCode"),
    fails(MISSING, "DeleteRegistrationCode"),
]
