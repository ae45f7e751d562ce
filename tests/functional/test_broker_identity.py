"""Who may connect and what a connection may do: certificates and policies through the API, felt on real mutual TLS.
The letters are those of the threat model."""
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request
import uuid

import paho.mqtt.client as mqtt
import pytest

from support.device import Device, Refused, Reporter, report
from support.edge import Closed, Mqtt
from support.fleetward import Certificate, document
from support.plain_broker import TestCa, openssl
from support.processes import never, wait_for


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared()


def raw(fw, certificate, protocol=4, session=None, context=None):
    """An MQTT connection of which each packet is seen."""
    sock = socket.create_connection(("127.0.0.1", fw.mqtt_port), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is None:
        context = ssl.create_default_context(cafile=fw.ca)
        context.load_cert_chain(certificate.pem, certificate.key)
    return Mqtt(context.wrap_socket(sock, server_hostname="localhost", session=session), protocol)


def refused(fw, certificate, client_id):
    with pytest.raises(Refused):
        Device(fw, certificate, client_id).close()


def unique(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


# Certificates

def test_only_active_certificates_connect(fw):
    certificate = fw.thing(unique("status"))
    for status in ("INACTIVE", "ACTIVE", "REVOKED"):
        fw.iot.update_certificate(certificateId=certificate.id, newStatus=status)
        if status == "ACTIVE":
            Device(fw, certificate, "any").close()
        else:
            refused(fw, certificate, "any")
    with pytest.raises(fw.iot.exceptions.ClientError):  # final
        fw.iot.update_certificate(certificateId=certificate.id, newStatus="ACTIVE")
    refused(fw, certificate, "any")


def test_a_certificate_that_was_never_active_or_is_deleted(fw):
    certificate = fw.certificate(active=False)
    policy = fw.policy(unique("all"), ("Allow", "iot:*", "*"))
    fw.iot.attach_policy(policyName=policy, target=certificate.arn)
    refused(fw, certificate, "never-active")
    fw.iot.update_certificate(certificateId=certificate.id, newStatus="ACTIVE")
    Device(fw, certificate, "never-active").close()
    fw.iot.update_certificate(certificateId=certificate.id, newStatus="INACTIVE")
    fw.iot.delete_certificate(certificateId=certificate.id, forceDelete=True)
    refused(fw, certificate, "never-active")  # good chain, but unknown now


def test_n_a_foreign_ca_no_certificate_and_old_tls(fw, tmp_path):
    foreign = TestCa(tmp_path)
    refused(fw, Certificate(*foreign.issue("device")), "foreign")
    with pytest.raises(Refused):
        Device(fw, None, "nobody")
    good = fw.thing(unique("tls"))
    with pytest.raises((Refused, ssl.SSLError, OSError)):
        Device(fw, good, "old", minimum_tls=ssl.TLSVersion.TLSv1, maximum_tls=ssl.TLSVersion.TLSv1_1)
    for port in (fw.mqtt_port, fw.api_port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", port), 5) as sock, pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(sock)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        Device(fw, good, "new", minimum_tls=version, maximum_tls=version).close()
    # Renegotiation is refused: openssl's client asks for one with a line "R".
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{fw.api_port}", "-tls1_2", "-CAfile", fw.ca],
                          input="R\n", capture_output=True, text=True, timeout=10)
    assert "no renegotiation" in done.stderr or "RENEGOTIATING" in done.stdout + done.stderr and done.returncode != 0


def test_n_a_device_checks_the_server_with_the_one_ca(fw, tmp_path):
    other = TestCa(tmp_path)
    good = fw.thing(unique("careful"))
    with pytest.raises(Refused):
        Device(fw, good, "careful", ca=other.ca)


def test_expired_certificates(fw, tmp_path):
    """Signed with the service's own key, but out of date: not even the registry could let it in."""
    key, request, pem = (str(tmp_path / name) for name in ("device.key", "device.csr", "device.pem"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=old", "-keyout", key,
            "-out", request)
    ca_key = next(os.path.join(fw.data, name) for name in os.listdir(fw.data) if name.startswith("ca") and "key" in name)
    for days, expected in (("-1", "expired"), ("2", "unknown")):
        openssl("x509", "-req", "-in", request, "-CA", fw.ca, "-CAkey", ca_key, "-CAcreateserial", "-CAserial",
                str(tmp_path / "serial"), "-days", days, "-out", pem)
        refused(fw, Certificate(pem, key), expected)


def test_a_certificate_without_a_ca_is_stored_and_refused(fw, tmp_path):
    """D29: until the gateway comes."""
    key, pem = str(tmp_path / "self.key"), str(tmp_path / "self.pem")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=self", "-keyout", key, "-out", pem)
    try:
        made = fw.iot.register_certificate_without_ca(certificatePem=open(pem).read(), status="ACTIVE")
    except fw.iot.exceptions.ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 501), error
        made = None
    if made:
        fw.iot.attach_policy(policyName=fw.policy(unique("all"), ("Allow", "iot:*", "*")), target=made["certificateArn"])
    refused(fw, Certificate(pem, key), "self-signed")


def test_i_revocation_ends_the_live_connection_and_a_resumed_tls_session(fw):
    name = unique("live")
    certificate = fw.thing(name)
    bystander = fw.thing(unique("bystander"))
    context = ssl.create_default_context(cafile=fw.ca)
    context.load_cert_chain(certificate.pem, certificate.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    first = raw(fw, certificate, context=context)
    assert first.connect(name) == 0
    session = first.sock.session
    with Device(fw, bystander, bystander.policy) as other, Device(fw, certificate, name + "2") as second:
        before = time.monotonic()
        fw.iot.update_certificate(certificateId=certificate.id, newStatus="REVOKED")
        answered = time.monotonic()
        second.wait_closed(2)
        assert first.is_closed(timeout=2)
        assert time.monotonic() - answered < 0.1 + 0.2, "D42: 100 ms from the API's answer, and some for this machine"
        assert before < answered
        resumed = raw(fw, certificate, context=context, session=session)
        with pytest.raises((Closed, AssertionError)):
            assert resumed.connect(name) == 0
        assert other.publish("still/here")


def test_two_clients_with_one_id(fw):
    name = unique("one-id")
    certificate = fw.thing(name)
    first = Device(fw, certificate, name)
    second = Device(fw, certificate, name)
    first.wait_closed(5)
    assert second.publish("a") and not second.ended
    first.close()
    second.close()


def test_d_another_things_client_id_is_refused_before_the_take_over(fw):
    victim_name = unique("victim")
    victim = fw.thing(victim_name)
    attacker = fw.thing(unique("attacker"), [("Allow", ["iot:Connect"], "client/${iot:Connection.Thing.ThingName}"),
                                            ("Allow", ["iot:Publish"], "topic/*")])
    with Device(fw, victim, victim_name) as device:
        for _ in range(3):
            refused(fw, attacker, victim_name)
        time.sleep(0.3)
        assert device.publish("still/mine") and not device.ended


def test_d_a_thing_of_somebody_else_is_refused_whatever_the_policy(fw):
    """Even iot:* on * does not let a certificate of one thing use the id of a thing it is not attached to."""
    victim_name, attacker_name = unique("victim"), unique("attacker")
    victim, attacker = fw.thing(victim_name), fw.thing(attacker_name)
    with Device(fw, victim, victim_name) as device:
        refused(fw, attacker, victim_name)
        time.sleep(0.3)
        assert not device.ended
    # RogueAgent is no thing's name: the certificate may use it (D11).
    Device(fw, attacker, unique("RogueAgent")).close()


# Policies

def test_a_reserved_topics_are_never_publishable(fw):
    name = unique("greedy")
    certificate = fw.thing(name)
    for topic in (f"$aws/things/{name}/defender/metrics/json/accepted",
                  f"$aws/things/{name}/defender/metrics/cbor/rejected",
                  f"$aws/events/presence/connected/{name}", "$CONTROL/fleetward/v1", "$CONTROL/dynamic-security/v1"):
        for retain in (False, True):
            with Device(fw, certificate, name) as device:
                assert not device.publish(topic, retain=retain), topic
                device.wait_closed(5)
    with Device(fw, certificate, name) as device:  # RETAIN on a report
        assert not device.publish(f"$aws/things/{name}/defender/metrics/json", json.dumps(report(1)), retain=True)


def test_b_nobody_reads_others_reports_or_events(fw):
    spy_name, name = unique("spy"), unique("watched")
    spy_certificate, certificate = fw.thing(spy_name), fw.thing(name)
    spies = []
    for number, topic in enumerate(("$aws/things/+/defender/metrics/#", f"$aws/things/{name}/defender/metrics/json",
                                    "$aws/events/#", "$aws/#", "#", "+/+/+/+/+/+/+", "$share/g/$aws/#",
                                    f"$aws/things/{name}/defender/metrics/json/accepted")):
        spy = Device(fw, spy_certificate, f"{spy_name}-{number}", protocol=mqtt.MQTTv5)
        try:
            spy.subscribe(topic, seconds=5)
        except Refused:
            pass
        spies.append(spy)
    with Reporter(fw, certificate, name) as device:
        device.listen("json")
        assert device.ask(report(1))[0] == "accepted"
    time.sleep(0.5)
    for spy in spies:
        assert not [t for t, _ in spy.received() if t.startswith("$aws")]
        spy.close()


def test_c_a_shared_subscription_does_not_go_around_a_deny(fw):
    name = unique("sharer")
    certificate = fw.thing(name, [("Allow", ["iot:Connect", "iot:Publish", "iot:Receive", "iot:Subscribe"], "*"),
                                  ("Deny", "iot:Subscribe", "topicfilter/secret/#"),
                                  ("Deny", "iot:Receive", "topic/secret/*")])
    for topic in ("secret/#", "$share/x/secret/#"):
        with Device(fw, certificate, name) as device, pytest.raises(Refused):
            device.subscribe(topic)
    with Device(fw, certificate, name) as device:
        assert device.subscribe("$share/x/open/#") in (0, 1)
        # A wider filter, which is allowed, still brings nothing of the secret.
        assert device.subscribe("+/+") in (0, 1)
        device.publish("secret/plan", b"psst")
        device.publish("open/plan", b"all")
        device.wait_message("open/plan")
        assert not device.received("secret/plan")


def test_a_denied_request_closes_mqtt_3_and_is_coded_in_mqtt_5(fw):
    name = unique("denied")
    certificate = fw.thing(name, [("Allow", "iot:Connect", "client/*"), ("Allow", "iot:Publish", "topic/ok"),
                                  ("Allow", "iot:Subscribe", "topicfilter/ok")])
    three = raw(fw, certificate)
    assert three.connect(name) == 0
    assert three.publish("ok") == 0
    with pytest.raises(Closed):
        three.publish("no")
    three = raw(fw, certificate)
    assert three.connect(name) == 0
    assert three.subscribe("ok") == [1]
    with pytest.raises(Closed):
        three.subscribe("no")
    five = raw(fw, certificate, protocol=5)
    assert five.connect(name) == 0
    assert five.publish("no") == 0x87
    assert five.subscribe("ok", "no") == [1, 0x87]
    assert five.publish("ok") in (0, 0x10)
    five.disconnect()


def test_a_denied_subscribe_can_be_answered_instead(make):
    fw = make({"mqtt.on_denied_subscribe": "suback"})
    certificate = fw.thing("polite", [("Allow", "iot:Connect", "client/*"), ("Allow", "iot:Subscribe", "topicfilter/ok")])
    device = raw(fw, certificate)
    assert device.connect("polite") == 0
    assert device.subscribe("ok", "no") == [1, 0x80]
    device.disconnect()


def closed_after(fw, device, change):
    """Milliseconds from the API's answer until the change was felt, probed by publishes of QoS 1."""
    change()
    answered = time.monotonic()
    while time.monotonic() - answered < 3:
        try:
            device.publish("topic")
        except Closed:
            return (time.monotonic() - answered) * 1000
    raise AssertionError("the connection may still publish")


@pytest.mark.parametrize("way", ["new default version", "detach policy", "detach from group", "deny in a group"])
def test_narrowing_a_policy_is_felt_within_100_ms_of_the_answer(fw, way):
    name, group = unique("narrowed"), unique("group")
    wide = [("Allow", ["iot:Connect", "iot:Publish"], "*")]
    certificate = fw.thing(name, wide)
    fw.iot.create_thing_group(thingGroupName=group)
    fw.iot.add_thing_to_thing_group(thingGroupName=group, thingName=name)
    narrow = document(("Allow", "iot:Connect", "*"))
    extra = None
    if way == "detach from group":
        # Only the group allows publishing.
        fw.iot.create_policy_version(policyName=certificate.policy, policyDocument=narrow, setAsDefault=True)
        extra = fw.policy(unique("publish"), ("Allow", "iot:Publish", "*"))
        fw.iot.attach_policy(policyName=extra, target=fw.arn("thinggroup", group))
    elif way == "deny in a group":
        extra = fw.policy(unique("deny"), ("Deny", "iot:Publish", "topic/topic"))
    device = raw(fw, certificate)
    assert device.connect(name) == 0
    assert device.publish("topic") in (0, 0x10)

    def change():
        if way == "new default version":
            fw.iot.create_policy_version(policyName=certificate.policy, policyDocument=narrow, setAsDefault=True)
        elif way == "detach policy":
            fw.iot.detach_policy(policyName=certificate.policy, target=certificate.arn)
        elif way == "detach from group":
            fw.iot.remove_thing_from_thing_group(thingGroupName=group, thingName=name)
        else:
            fw.iot.attach_policy(policyName=extra, target=fw.arn("thinggroup", group))
    # 100 ms by D42; as much again for a busy machine.
    assert closed_after(fw, device, change) < 200


def test_widening_a_policy_is_felt_on_the_live_connection(fw):
    name = unique("widened")
    certificate = fw.thing(name, [("Allow", ["iot:Connect"], "*")])
    device = raw(fw, certificate, protocol=5)
    assert device.connect(name) == 0
    assert device.publish("topic") == 0x87
    fw.iot.create_policy_version(policyName=certificate.policy, setAsDefault=True,
                                 policyDocument=document(("Allow", ["iot:Connect", "iot:Publish"], "*")))
    wait_for(lambda: device.publish("topic") in (0, 0x10), 2, "the wider policy")


def test_receive_is_checked_at_each_delivery(fw):
    name = unique("receiver")
    everything = ["iot:Connect", "iot:Publish", "iot:Subscribe"]
    certificate = fw.thing(name, [("Allow", everything + ["iot:Receive"], "*")])
    publisher = fw.thing(unique("publisher"))
    with Device(fw, certificate, name) as device, Device(fw, publisher, unique("sender")) as sender:
        device.subscribe("news/#")
        sender.publish("news/1")
        device.wait_message("news/1")
        fw.iot.create_policy_version(policyName=certificate.policy, setAsDefault=True,
                                     policyDocument=document(("Allow", everything, "*")))
        time.sleep(0.1)
        sender.publish("news/2")
        never(lambda: device.received("news/2"), 0.5, "a delivery without iot:Receive")
        assert not device.ended


def test_variables_bind_a_policy_to_its_thing(fw):
    name = unique("bound")
    certificate = fw.thing(name, [("Allow", "iot:Connect", "client/${iot:Connection.Thing.ThingName}"),
                                  ("Allow", "iot:Publish", "topic/data/${iot:ClientId}/*")])
    with Device(fw, certificate, name) as device:
        assert device.publish(f"data/{name}/a")
        assert not device.publish("data/other/a")
    refused(fw, certificate, unique("other"))


def test_refusals_are_counted_by_reason(fw):
    def refusals(reason):
        text = urllib.request.urlopen(f"http://127.0.0.1:{fw.metrics_port}/metrics", timeout=5).read().decode()
        lines = [line for line in text.splitlines() if line.startswith("fleetward_refusals_total") and reason in line]
        return sum(int(line.rsplit(" ", 1)[1]) for line in lines)
    name = unique("told")
    certificate = fw.thing(name, [("Allow", "iot:Publish", "*")])
    before = refusals("POLICY")
    for _ in range(3):
        refused(fw, certificate, name)
    wait_for(lambda: refusals("POLICY") == before + 3, 5, "three refusals")


def test_the_connection_history_can_be_read(fw):
    """Connects, disconnects and refusals with certificate, client id, address, times and reason."""
    name, hostile = unique("historic"), unique("not<b>mine")
    own = fw.thing(name, [("Allow", "iot:Connect", "client/${iot:Connection.Thing.ThingName}")])
    with Device(fw, own, name):
        pass
    refused(fw, own, hostile)
    refused(fw, own, "control\x1b[2Jcharacters")  # by the broker itself, which tells the plugin nothing

    def events(*thing):
        out = fw.run("connections", *thing, "--data", fw.data, "--since", "1h", "--json").stdout
        return [json.loads(line) for line in out.splitlines()]
    wait_for(lambda: [e["event"] for e in events(name)] == ["connected", "disconnected", "refused"], 5, "the thing's events")
    first, last, other = events(name)  # what its certificate was refused is its history, too
    assert other["clientId"] == hostile
    for event in (first, last):
        assert event["clientId"] == name and event["certificateId"] == own.id and event["address"] == "127.0.0.1"
    assert last["reason"] == "CLIENT_INITIATED_DISCONNECT" and last["connectedAt"] == first["time"] <= last["time"]

    def refusals():
        return [e for e in events() if e["event"] == "refused" and e["clientId"] == hostile]
    wait_for(refusals, 5, "the refusal")
    assert refusals()[0]["certificateId"] == own.id and refusals()[0]["reason"] == "POLICY"
    wait_for(lambda: any(e["reason"] == "NO_CONNECT" for e in events()), 5, "the connection without a CONNECT")
    times = [e["time"] for e in events()]
    assert len(times) >= 3 and times == sorted(times)
    text = fw.run("connections", "--data", fw.data).stdout
    assert own.id[:12] in text and hostile in text
    assert any(e["reason"] == "NO_CONNECT" and not e["certificateId"] and not e["clientId"] for e in events())
    nobody = fw.run("connections", unique("nobody"), "--data", fw.data).stdout
    assert nobody.startswith("0 since"), nobody
    assert fw.run("connections", "--data", fw.data, "--since", "400d", check=False).returncode == 1
