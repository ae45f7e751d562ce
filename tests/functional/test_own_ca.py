"""An operator's own CA: registered with proof of its key, its devices on mutual TLS, just-in-time registration."""
import pytest
from botocore.exceptions import ClientError

from support.pki import OwnCa


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared()


def fails(name, call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == name, caught.value
    return caught.value.response


def test_ca_certificates_through_the_api(fw):
    iot, ca = fw.iot, OwnCa(fw.scratch)
    code = iot.get_registration_code()["registrationCode"]
    assert len(code) == 64 and iot.get_registration_code()["registrationCode"] == code
    good = ca.verification(code)
    register = dict(caCertificate=ca.pem, verificationCertificate=good)
    fails("InvalidRequestException", iot.register_ca_certificate, caCertificate=ca.pem)
    fails("CertificateValidationException", iot.register_ca_certificate, **{**register, "caCertificate": "x"})
    fails("CertificateValidationException", iot.register_ca_certificate, **{**register, "caCertificate": good})
    fails("CertificateValidationException", iot.register_ca_certificate,
          **{**register, "verificationCertificate": OwnCa(fw.scratch, "another").verification(code)})
    fails("RegistrationCodeValidationException", iot.register_ca_certificate,
          **{**register, "verificationCertificate": ca.verification("f" * 64)})
    fails("InvalidRequestException", iot.register_ca_certificate, **register, certificateMode="SNI_ONLY")
    made = iot.register_ca_certificate(**register, setAsActive=True, allowAutoRegistration=True,
                                       registrationConfig={"roleArn": "arn:aws:iam::123456789012:role/jitp"},
                                       tags=[{"Key": "site", "Value": "paris"}])
    ca_id = made["certificateId"]
    assert made["certificateArn"] == fw.arn("cacert", ca_id)
    again = fails("ResourceAlreadyExistsException", iot.register_ca_certificate, **register)
    assert again["resourceId"] == ca_id and again["resourceArn"] == made["certificateArn"]

    described = iot.describe_ca_certificate(certificateId=ca_id)
    description = described["certificateDescription"]
    assert description["status"] == "ACTIVE" and description["autoRegistrationStatus"] == "ENABLE"
    assert description["certificateMode"] == "DEFAULT" and description["customerVersion"] == 1
    assert described["registrationConfig"] == {"roleArn": "arn:aws:iam::123456789012:role/jitp"}
    iot.update_ca_certificate(certificateId=ca_id, newAutoRegistrationStatus="DISABLE")
    fails("CertificateStateException", iot.delete_ca_certificate, certificateId=ca_id)

    device = ca.issue()
    iot.update_ca_certificate(certificateId=ca_id, newStatus="INACTIVE")
    fails("CertificateStateException", iot.register_certificate, certificatePem=device.text)
    iot.update_ca_certificate(certificateId=ca_id, newStatus="ACTIVE", removeAutoRegistration=True)
    assert "registrationConfig" not in iot.describe_ca_certificate(certificateId=ca_id)
    fails("CertificateValidationException", iot.register_certificate,
          certificatePem=OwnCa(fw.scratch, "unknown").issue().text)
    fails("InvalidRequestException", iot.register_certificate, certificatePem=device.text, status="REVOKED")
    registered = iot.register_certificate(certificatePem=device.text, caCertificatePem=ca.pem, setAsActive=True)
    description = iot.describe_certificate(certificateId=registered["certificateId"])["certificateDescription"]
    assert description["caCertificateId"] == ca_id and description["status"] == "ACTIVE"
    fails("ResourceAlreadyExistsException", iot.register_certificate, certificatePem=device.text)
    for _ in range(3):
        iot.register_certificate(certificatePem=ca.issue().text, status="INACTIVE")
    seen, marker = [], {}
    while True:
        page = iot.list_certificates_by_ca(caCertificateId=ca_id, pageSize=1, ascendingOrder=True, **marker)
        seen += [each["certificateId"] for each in page["certificates"]]
        if "nextMarker" not in page:
            break
        marker = {"marker": page["nextMarker"]}
    assert len(set(seen)) == len(seen) == 4 and seen[0] == registered["certificateId"]
    assert iot.list_certificates_by_ca(caCertificateId="0" * 64)["certificates"] == []

    other = OwnCa(fw.scratch, "sni only")
    sni = iot.register_ca_certificate(caCertificate=other.pem, certificateMode="SNI_ONLY")["certificateId"]
    listed = [each["certificateId"] for each in iot.list_ca_certificates(ascendingOrder=True)["certificates"]]
    assert listed == [ca_id, sni]
    assert iot.list_ca_certificates(templateName="nothing")["certificates"] == []
    iot.delete_ca_certificate(certificateId=sni)
    fails("ResourceNotFoundException", iot.describe_ca_certificate, certificateId=sni)
    fails("ResourceNotFoundException", iot.update_ca_certificate, certificateId=sni, newStatus="ACTIVE")
    fails("ResourceNotFoundException", iot.delete_ca_certificate, certificateId=sni)
    iot.delete_registration_code()
    fails("ResourceNotFoundException", iot.delete_registration_code)
    assert iot.get_registration_code()["registrationCode"] != code


def test_cas_of_one_name(fw):
    """Several with the same subject are told apart by their keys; with the same key too by caCertificatePem alone."""
    first, second = OwnCa(fw.scratch, "twins"), OwnCa(fw.scratch, "twins")
    first.register(fw)
    second.register(fw)
    device = second.issue()
    made = fw.iot.register_certificate(certificatePem=device.text)["certificateId"]
    described = fw.iot.describe_certificate(certificateId=made)["certificateDescription"]
    assert described["caCertificateId"] == second.id
    renewed = OwnCa(fw.scratch, "twins", key=first.key, days="60")
    renewed.register(fw)
    device = first.issue()
    fails("CertificateConflictException", fw.iot.register_certificate, certificatePem=device.text)
    fw.iot.register_certificate(certificatePem=device.text, caCertificatePem=renewed.pem)
    for _ in range(7):
        OwnCa(fw.scratch, "twins").register(fw)
    fails("LimitExceededException", OwnCa(fw.scratch, "twins").register, fw=fw)
