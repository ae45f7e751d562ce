"""Story 4: every other Device Defender agent, with the quirks of its reports and sessions, over real mutual TLS."""
import json
import os
import time

import cbor2
import paho.mqtt.client as mqtt
import pytest

from support.device import Device, Refused, Reporter, report
from support.paths import REPORTS
from support.processes import wait_for

ALL_THINGS = "arn:aws:iot:us-east-1:123456789012:all/things"

# Session habits of the clients: publish QoS, answers' QoS, clean session, keep-alive.
HABITS = {"python": (0, 1, False, 6), "c": (0, 0, True, 600), "device-client": (1, 1, True, 60),
          "embedded-c": (1, 0, True, 60), "freertos": (1, 1, True, 60), "greengrass-first": (0, 0, True, 60),
          "floats": (1, 1, True, 60), "our-agent-spooled": (1, 1, True, 60)}


def habits_of(name):
    key = max((k for k in HABITS if name.startswith(k)), key=len)
    return HABITS[key]


def samples():
    return sorted(n for n in os.listdir(REPORTS) if n.endswith((".json", ".cbor")))


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared({"detect.min_duration_seconds": 1})


@pytest.fixture(scope="module")
def certificate(fw):
    """One certificate for all clients: attached to no thing, so it may report under its client ids."""
    made = fw.certificate()
    fw.policy("anything", ("Allow", "iot:*", "*"))
    fw.iot.attach_policy(policyName="anything", target=made.arn)
    return made


def header_of(name, payload):
    decoded = json.loads(payload.rstrip(b"\0")) if name.endswith(".json") else cbor2.loads(payload)
    header = decoded.get("header") or decoded.get("hed")
    return header.get("report_id") or header.get("rid")


@pytest.mark.parametrize("name", samples())
def test_reports_of_real_agents_are_accepted(fw, certificate, name):
    publish_qos, answer_qos, clean, keepalive = habits_of(name)
    form = name.rsplit(".", 1)[1]
    thing = "real-" + name.replace(".", "-")
    with open(os.path.join(REPORTS, name), "rb") as file:
        payload = file.read()
    with Reporter(fw, certificate, thing, clean=clean, keepalive=keepalive) as device:
        device.listen(form, qos=answer_qos)
        before = time.time()
        verdict, answer = device.ask(payload, form, publish_qos)
        assert verdict == "accepted", answer
        assert answer["thingName"] == thing and answer["status"] == "ACCEPTED"
        assert answer["reportId"] == int(header_of(name, payload))
        assert before - 2 <= answer["timestamp"] / 1000 <= time.time() + 2
        assert set(answer) == {"thingName", "reportId", "status", "timestamp"}


MALFORMED = {
    "not json": b"hello", "empty": b"", "a list": b"[]", "no header": b'{"metrics":{}}',
    "neither block": b'{"header":{"report_id":1,"version":"1.0"}}',
    "report_id is text": b'{"header":{"report_id":"1","version":"1.0"},"metrics":{}}',
    "negative report_id": b'{"header":{"report_id":-1,"version":"1.0"},"metrics":{}}',
    "no version": b'{"header":{"report_id":1},"metrics":{}}',
    "another major version": b'{"header":{"report_id":1,"version":"2.0"},"metrics":{}}',
    "bare custom metric": b'{"header":{"report_id":1,"version":"1.0"},"custom_metrics":{"m":{"number":0}}}',
    "two values": b'{"header":{"report_id":1,"version":"1.0"},"custom_metrics":{"m":[{"number":0},{"number":1}]}}',
    "text counter": b'{"header":{"report_id":1,"version":"1.0"},"metrics":{"network_stats":{"bytes_in":"1"}}}',
    "no remote_addr": b'{"header":{"report_id":1,"version":"1.0"},"metrics":{"tcp_connections":'
                      b'{"established_connections":{"connections":[{"local_port":1}]}}}}',
    "cut": b'{"header":{"report_id":1,"version":"1.0"},"metrics":{"network_st',
    "two documents": b'{"header":{"report_id":1,"version":"1.0"},"metrics":{}}{}',
}


@pytest.mark.parametrize("form", ["json", "cbor"])
def test_malformed_reports_get_the_documented_code(fw, certificate, form):
    with Reporter(fw, certificate, f"malformed-{form}") as device:
        device.listen()
        for name, payload in MALFORMED.items():
            if form == "cbor":
                try:
                    payload = cbor2.dumps(json.loads(payload))
                except ValueError:
                    payload = b"\xbf" + payload
            verdict, answer = device.ask(payload, form)
            assert verdict == "rejected", name
            assert answer["status"] == "REJECTED" and answer["thingName"] == device.thing
            assert answer["statusDetails"] == {"ErrorCode": "InvalidPayload", "ErrorMessage": "Malformed metrics report"}
            if "report_id" not in name and name.startswith(("bare", "two values", "text", "no remote")):
                assert answer["reportId"] == 1, name
        # The session is as good as before, and the answers went to nobody else's format.
        assert device.ask(report(2), form)[0] == "accepted"
        other = "cbor" if form == "json" else "json"
        assert not [t for t, _ in device.received() if f"/{other}/" in t]


def test_json_on_the_cbor_topic_is_malformed_there(fw, certificate):
    with Reporter(fw, certificate, "crossed") as device:
        device.listen()
        assert device.ask(json.dumps(report(1)).encode(), "cbor")[0] == "rejected"
        assert device.ask(cbor2.dumps(report(1)), "json")[0] == "rejected"


def retain(fw, name, *metrics):
    fw.iot.create_security_profile(securityProfileName=name,
                                   additionalMetricsToRetainV2=[{"metric": m} for m in metrics])
    fw.iot.attach_security_profile(securityProfileName=name, securityProfileTargetArn=ALL_THINGS)


def values(fw, thing, metric):
    now = int(time.time())
    return fw.iot.list_metric_values(thingName=thing, metricName=metric, startTime=now - 3600,
                                     endTime=now + 60)["metricDatumList"]


def ports(*numbers):
    return {"listening_tcp_ports": {"ports": [{"port": n} for n in numbers], "total": len(numbers)}}


def test_duplicates_are_answered_again_and_counted_once(fw, certificate):
    retain(fw, "duplicates", "aws:num-listening-tcp-ports")
    with Reporter(fw, certificate, "twice") as device:
        device.listen("json")
        first = report(5, ports(22))
        for _ in range(3):
            verdict, answer = device.ask(first)
            assert verdict == "accepted" and answer["reportId"] == 5
        # The same id with another body is another report.
        assert device.ask(report(5, ports(22, 23)))[0] == "accepted"
        # Ids restart low after a reboot: they need not grow.
        assert device.ask(report(1, ports(22, 23, 24)))[0] == "accepted"
        wait_for(lambda: len(values(fw, "twice", "aws:num-listening-tcp-ports")) >= 3, 10, "the values")
        counts = sorted(v["value"]["count"] for v in values(fw, "twice", "aws:num-listening-tcp-ports"))
        assert counts == [1, 2, 3]


def test_throttle(make):
    fw = make({"detect.min_report_interval_seconds": None})  # the default, 300 s
    certificate = fw.thing("often")
    with Reporter(fw, certificate, "often") as device:
        device.listen()
        assert device.ask(report(1))[0] == "accepted"
        verdict, answer = device.ask(report(2))
        assert verdict == "rejected" and answer["statusDetails"]["ErrorCode"] == "Throttled"
        assert answer["reportId"] == 2
        # A duplicate of the accepted one stays accepted (D14), a spooled one is outside of the throttle (D15).
        assert device.ask(report(1))[0] == "accepted"
        spooled = report(3)
        spooled["header"]["spooled_at"] = int(time.time()) - 3600
        assert device.ask(spooled)[0] == "accepted"
        verdict, answer = device.ask(cbor2.dumps(report(4)), "cbor")
        assert verdict == "rejected" and answer["statusDetails"]["ErrorCode"] == "Throttled"
        assert len(answer["statusDetails"]["ErrorCode"]) <= 12


def test_a_short_throttle_lets_the_next_report_pass(make):
    fw = make({"detect.min_report_interval_seconds": 2})
    certificate = fw.thing("often")
    with Reporter(fw, certificate, "often") as device:
        device.listen("json")
        assert device.ask(report(1))[0] == "accepted"
        assert device.ask(report(2))[1]["statusDetails"]["ErrorCode"] == "Throttled"
        number = 2

        def again():
            nonlocal number
            number += 1
            return device.ask(report(number))[0] == "accepted"
        wait_for(again, 5, "the interval to pass", every=0.2)
    assert "429" not in fw.log_tail(5)


def test_reports_for_another_thing_need_a_certificate_of_many(make):
    """Threat e: by policy only, and not at all with a certificate of exactly one thing, unless switched on."""
    fw = make()
    single = fw.thing("single")
    gateway = fw.thing("gateway")
    fw.iot.create_thing(thingName="behind")
    fw.iot.attach_thing_principal(thingName="behind", principal=gateway.arn)
    with Reporter(fw, single, "single", thing="behind") as device:
        assert not device.send(report(1))
        device.wait_closed()
    with Reporter(fw, gateway, "gateway", thing="behind") as device:
        device.listen("json")
        assert device.ask(report(1))[0] == "accepted"
    wait_for(lambda: "behind" in fw.run("status", "behind", "--data", fw.data).stdout, 5, "its status")
    narrow = fw.thing("narrow", [("Allow", "iot:Connect", "client/narrow"),
                                 ("Allow", "iot:Publish", "topic/$aws/things/narrow/defender/metrics/*")])
    with Reporter(fw, narrow, "narrow", thing="behind") as device:
        assert not device.send(report(1))
    switched = make({"ingest.report_for_others": "true"})
    certificate = switched.thing("proxy")
    with Reporter(switched, certificate, "proxy", thing="somebody") as device:
        device.listen("json")
        assert device.ask(report(1))[0] == "accepted"


def test_an_unregistered_device_is_watched_as_such(fw, certificate):
    behavior = {"name": "onePort", "metric": "aws:num-listening-tcp-ports",
                "criteria": {"comparisonOperator": "less-than-equals", "value": {"count": 1}, "durationSeconds": 1}}
    for name, target in (("strangers", "all/unregistered-things"), ("known", "all/registered-things")):
        fw.iot.create_security_profile(securityProfileName=name, behaviors=[behavior])
        fw.iot.attach_security_profile(securityProfileName=name,
                                       securityProfileTargetArn=f"arn:aws:iot:us-east-1:123456789012:{target}")
    fw.iot.create_thing(thingName="registered")

    def active(thing):
        found = fw.iot.list_active_violations(thingName=thing)["activeViolations"]
        return [v["securityProfileName"] for v in found]
    for thing, profile in (("a stranger", "strangers"), ("registered", "known")):
        with Reporter(fw, certificate, thing) as device:
            device.listen("json")
            number = 0

            def alarmed():
                nonlocal number
                number += 1
                assert device.ask(report(number, ports(22, 23)))[0] == "accepted"
                return active(thing)
            assert wait_for(alarmed, 15, f"{thing} to violate", every=0.3) == [profile]
    for name in ("strangers", "known"):
        fw.iot.delete_security_profile(securityProfileName=name)
    wait_for(lambda: not active("registered") and not active("a stranger"), 10, "the alarms to be invalidated")


def test_thing_names_at_the_edge_of_what_is_allowed(fw, certificate):
    for name in ("x" * 128, "gerät-ünö", "with space"):
        with Reporter(fw, certificate, name) as device:
            device.listen("json")
            verdict, answer = device.ask(report(1))
            assert verdict == "accepted" and answer["thingName"] == name
    with pytest.raises(Refused):
        Device(fw, certificate, "x" * 129).close()
    with Reporter(fw, certificate, "names", thing="x" * 129) as device:
        device.send(report(1))
    fault = "too long or holds control characters"
    wait_for(lambda: fault in fw.run("status", "x" * 129, "--data", fw.data, check=False).stdout, 5, "the fault")
    with Reporter(fw, certificate, "names", thing="tab\there") as device:
        assert not device.send(report(1))  # the broker closes


def test_a_device_that_hears_no_answers_is_still_counted(fw, certificate):
    retain(fw, "silent", "aws:num-listening-udp-ports")
    with Reporter(fw, certificate, "deaf") as device:
        body = report(9)
        body["metrics"] = {"listening_udp_ports": {"total": 7}}
        assert device.send(body, qos=1)
        wait_for(lambda: values(fw, "deaf", "aws:num-listening-udp-ports"), 10, "the value")
        assert values(fw, "deaf", "aws:num-listening-udp-ports")[0]["value"] == {"count": 7}
        assert not device.received()


def test_mqtt_5_agents_are_served_too(fw, certificate):
    with Reporter(fw, certificate, "modern", protocol=mqtt.MQTTv5) as device:
        device.listen()
        assert device.ask(report(1))[0] == "accepted"
        assert device.ask(cbor2.dumps(report(2)), "cbor")[0] == "accepted"
