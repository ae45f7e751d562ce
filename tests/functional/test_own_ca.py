"""An operator's own CA: registered with proof of its key, its devices on mutual TLS, just-in-time registration."""
import hashlib
import json
import ssl
import urllib.request
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from support.device import Device, Refused
from support.fleetward import document
from support.hook import Hook
from support.pki import OwnCa
from support.processes import never, wait_for


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


# At the broker

def operator(fw):
    """A client that may read everybody's events (docs/broker.md)."""
    certificate = fw.certificate()
    name = fw.policy("operator-" + certificate.id[:8], ("Allow", "iot:*", "*"),
                     ("Allow", "fleetward:ReadEvents", "topic/$aws/events/*"))
    fw.iot.attach_policy(policyName=name, target=certificate.arn)
    return Device(fw, certificate, "operator-" + certificate.id[:8])


def device_id(device):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(device.text)).hexdigest()


def active(fw, device, ca_pem=None):
    made = fw.iot.register_certificate(certificatePem=device.text, status="ACTIVE",
                                       **({"caCertificatePem": ca_pem} if ca_pem else {}))
    device.arn, device.id = made["certificateArn"], made["certificateId"]
    fw.iot.attach_policy(policyName=allow_all(fw), target=device.arn)
    return device


def allow_all(fw):
    name = "allow-all"
    fw.iot.create_policy(policyName=name, policyDocument=document(("Allow", "iot:*", "*")))
    return name


def refused(fw, device, client_id):
    with pytest.raises(Refused) as caught:
        Device(fw, device, client_id).close()
    return caught.value


def test_devices_of_an_own_ca_connect(fw):
    """At once, without a restart and without disturbing who is connected; also when they send the chain."""
    witness = fw.thing("own-witness")
    with Device(fw, witness, "own-witness") as stays:
        ca = OwnCa(fw.scratch, "plant ca")
        early = ca.issue("/CN=early")
        refused(fw, early, "own-early")  # nobody knows the CA yet
        ca.register(fw)
        refused(fw, early, "own-early")  # the CA is known, the certificate is not registered
        plain, chained = active(fw, ca.issue("/CN=plain")), active(fw, ca.issue("/CN=chained", chain=True))
        for device, name in ((plain, "own-plain"), (chained, "own-chained"), (active(fw, early), "own-early")):
            with Device(fw, device, name) as client:
                assert client.publish("own/hello")
        assert not stays.ended


def test_a_second_ca_of_a_known_name_counts_at_once(fw):
    """The TLS library reads a name once: found by making it look at the first of them before the second comes."""
    first = OwnCa(fw.scratch, "namesakes")
    first.register(fw)
    with Device(fw, active(fw, first.issue()), "namesake-1"):
        pass
    refused(fw, first.issue(), "namesake-unregistered")  # its chain was looked at
    second = OwnCa(fw.scratch, "namesakes")
    second.register(fw, automatic=True)
    unknown = second.issue()
    assert refused(fw, unknown, "namesake-2").code is not None  # past the handshake, refused by CONNACK


def test_an_intermediate_ca_is_enough(fw):
    root = OwnCa(fw.scratch, "the root")
    middle = OwnCa(fw.scratch, "the middle", parent=root)
    middle.register(fw)
    for chain in (False, True):
        with Device(fw, active(fw, middle.issue(chain=chain)), f"middle-{chain}") as client:
            assert client.publish("own/hello")
    # The root was never registered: what it signs itself is foreign.
    assert refused(fw, root.issue(), "rootling").code is None


def test_what_becomes_of_the_ca_does_not_touch_registered_certificates(fw):
    ca = OwnCa(fw.scratch, "fading ca")
    ca.register(fw, automatic=True)
    device = active(fw, ca.issue())
    with Device(fw, device, "fading") as client:
        fw.iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
        assert client.publish("own/hello") and not client.ended
    with Device(fw, device, "fading"):
        pass
    unknown = ca.issue()
    refused(fw, unknown, "fading-unknown")  # an inactive CA registers nothing
    assert len(fw.iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]) == 1
    fw.iot.delete_ca_certificate(certificateId=ca.id)
    with Device(fw, device, "fading") as client:
        assert client.publish("own/hello")
    fw.iot.update_certificate(certificateId=device.id, newStatus="REVOKED")
    refused(fw, device, "fading")
    assert refused(fw, unknown, "fading-unknown").code is None  # its chain ends nowhere now


def test_just_in_time_registration(fw):
    ca = OwnCa(fw.scratch, "automatic ca")
    ca.register(fw, automatic=True)
    topic = f"$aws/events/certificates/registered/{ca.id}"
    device = ca.issue("/CN=new device", chain=True)
    with operator(fw) as watcher:
        watcher.subscribe(topic)
        refused(fw, device, "new-device")
        event = json.loads(watcher.wait_message(topic)[0][1])
        listed = fw.iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]
        assert [each["status"] for each in listed] == ["PENDING_ACTIVATION"]
        assert event["certificateId"] == listed[0]["certificateId"] == device_id(device)
        assert event["caCertificateId"] == ca.id and event["certificateStatus"] == "PENDING_ACTIVATION"
        assert event["awsAccountId"] == "123456789012" and isinstance(event["certificateRegistrationTimestamp"], str)
        refused(fw, device, "new-device")
        watcher.wait_message(topic, 2)  # again at each try, and no second certificate
        assert len(fw.iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]) == 1
        fw.iot.update_certificate(certificateId=event["certificateId"], newStatus="ACTIVE")
        fw.iot.attach_policy(policyName=allow_all(fw), target=fw.arn("cert", event["certificateId"]))
        with Device(fw, device, "new-device") as client:
            assert client.publish("own/hello")
        assert len(watcher.received(topic)) == 2
    fw.iot.update_ca_certificate(certificateId=ca.id, newAutoRegistrationStatus="DISABLE")
    refused(fw, ca.issue(), "another-new-device")
    never(lambda: len(fw.iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]) > 1, 1.0, "it must not come")


def test_a_certificate_without_a_ca_is_refused_with_its_reason(fw):
    """D29: kept, and refused on 8883."""
    alone = OwnCa(fw.scratch, "never registered").issue("/CN=alone")
    made = fw.iot.register_certificate_without_ca(certificatePem=alone.text, status="ACTIVE")
    fw.iot.attach_policy(policyName=allow_all(fw), target=made["certificateArn"])

    def told_why():
        refused(fw, alone, "alone")  # again and again: the broker hears of the certificate a little after the call
        return any(made["certificateId"] in line and "CERTIFICATE_WITHOUT_CA" in line for line in fw.log().splitlines())
    wait_for(told_why, 10, "the reason in the log", every=0.5)
    # One whose chain holds anyway connects: registered without naming the CA.
    ca = OwnCa(fw.scratch, "known after all")
    ca.register(fw)
    device = ca.issue()
    made = fw.iot.register_certificate_without_ca(certificatePem=device.text, status="ACTIVE")
    fw.iot.attach_policy(policyName=allow_all(fw), target=made["certificateArn"])
    with Device(fw, device, "known-after-all") as client:
        assert client.publish("own/hello")


def test_expired_and_early_certificates(fw):
    ca = OwnCa(fw.scratch, "short ca")
    ca.register(fw)
    fails("CertificateValidationException", fw.iot.register_certificate, certificatePem=ca.issue(days="-1").text)
    weak = ca.issue(key_options=("-newkey", "rsa:1024", "-nodes"))
    fails("CertificateValidationException", fw.iot.register_certificate, certificatePem=weak.text)
    server_only = active(fw, ca.issue("/CN=server", "extendedKeyUsage=serverAuth\n"))
    refused(fw, server_only, "server-only")


@pytest.mark.parametrize("how", ["under its CA", "without a CA"])
def test_i_a_certificates_end_ends_its_connections(fw, how):
    """Registered, ACTIVE and in use, by its own end: the live connection, the next one, and one that comes too late."""
    ca = OwnCa(fw.scratch, "brief ca " + how)
    ca.register(fw)
    end = int(time.time()) + 8
    names = [uuid.uuid4().hex for _ in range(3)]
    used, late, stays = ca.issue_until(end), ca.issue_until(end), ca.issue_until(end + 3600)
    for device in (used, late, stays):
        if how == "under its CA":
            active(fw, device)
        else:
            made = fw.iot.register_certificate_without_ca(certificatePem=device.text, status="ACTIVE")
            fw.iot.attach_policy(policyName=allow_all(fw), target=made["certificateArn"])
            device.id = made["certificateId"]
    described = fw.iot.describe_certificate(certificateId=used.id)["certificateDescription"]
    assert described["status"] == "ACTIVE" and described["validity"]["notAfter"].timestamp() == end
    with Device(fw, used, names[0]) as live, Device(fw, stays, names[2]) as other:
        assert time.time() < end, "the machine was too slow for this test"
        while time.time() < end - 0.5:
            assert live.publish("own/hello") and not live.ended
            time.sleep(0.05)
        live.wait_closed(5)
        assert end - 0.5 < time.time() < end + 3, "the second after its last, and some for this machine"
        # Its last second is a certificate's own (RFC 5280); a moment later nobody has a doubt.
        wait_for(lambda: time.time() > end + 1, 5, "the end")
        for device, name in ((used, names[0]), (late, names[1])):
            refusal = refused(fw, device, name)
            assert (refusal.code is None) == (how == "without a CA"), "known by its registration: refused at CONNECT"
        assert other.publish("own/hello") and not other.ended
    assert fw.iot.describe_certificate(certificateId=used.id)["certificateDescription"]["status"] == "ACTIVE"
    fails("CertificateValidationException", fw.iot.register_certificate, certificatePem=ca.issue_until(end).text)


def test_p_addresses_inside_certificates_are_not_visited(make):
    """Threat p: CRL, OCSP and issuer addresses of a CA, of an intermediate and of devices. Loopback is allowed here, so that it is
    not the rule about addresses that keeps them from being visited."""
    fw, listener = make({"fetch.allow_loopback": "true"}), Hook()
    try:
        def addresses(who):
            return [f"crlDistributionPoints=URI:{listener.url}{who}.crl", f"freshestCRL=URI:{listener.url}{who}-delta.crl",
                    f"authorityInfoAccess=OCSP;URI:{listener.url}{who}-ocsp,caIssuers;URI:{listener.url}{who}.cer"]

        def issue(ca, who, **more):
            return ca.issue(f"/CN={who}", "\n".join(addresses(who)) + "\n", **more)
        root = OwnCa(fw.scratch, "with addresses", extensions=addresses("root"))
        middle = OwnCa(fw.scratch, "middle with addresses", parent=root, extensions=addresses("middle"))
        root.register(fw, automatic=True)
        direct = active(fw, issue(root, "direct"))
        with Device(fw, direct, "direct") as client:
            assert client.publish("own/hello")
        refused(fw, issue(root, "unknown"), "unknown")  # just in time: told to the server
        wait_for(lambda: len(fw.iot.list_certificates_by_ca(caCertificateId=root.id)["certificates"]) == 2, 10, "its registration")
        refused(fw, issue(middle, "below", chain=False), "below")  # its issuer is at an address only
        middle.register(fw)
        below = active(fw, issue(middle, "below"))
        with Device(fw, below, "below") as client:
            assert client.publish("own/hello")
        alone = issue(OwnCa(fw.scratch, "nobody's", extensions=addresses("nobody")), "alone")
        made = fw.iot.register_certificate_without_ca(certificatePem=alone.text, status="ACTIVE")
        refused(fw, alone, "alone")
        fw.iot.describe_certificate(certificateId=made["certificateId"])
        fw.iot.update_certificate(certificateId=direct.id, newStatus="REVOKED")
        fw.stop()
        fw.start()
        with Device(fw, below, "below") as client:
            assert client.publish("own/hello")
        assert listener.connections == 0
        urllib.request.urlopen(listener.url, data=b"it does listen", timeout=10).close()
        assert listener.connections == 1
    finally:
        listener.stop()
