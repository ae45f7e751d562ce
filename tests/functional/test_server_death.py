"""Death, restart and standstill of the parts (D17, D23, D44)."""
import json
import signal
import ssl
import threading
import time
import urllib.request

import pytest

from support import mail as mails
from support.device import Device, Refused, Reporter, report
from support.processes import listeners, wait_for

# How long the server stands still.
STANDSTILL = 60


def retain_ports(fw):
    fw.iot.create_security_profile(securityProfileName="keep", additionalMetricsToRetainV2=[
        {"metric": "aws:num-listening-tcp-ports"}])
    fw.iot.attach_security_profile(securityProfileName="keep",
                                   securityProfileTargetArn="arn:aws:iot:us-east-1:123456789012:all/things")


def counts(fw, thing):
    """All values of the thing, oldest first."""
    now, out, token = int(time.time()), [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = fw.iot.list_metric_values(thingName=thing, metricName="aws:num-listening-tcp-ports", startTime=now - 3600,
                                         endTime=now + 60, maxResults=250, **more)
        out += [int(d["value"]["count"]) for d in page["metricDatumList"]]
        token = page.get("nextToken")
        if not token:
            return sorted(out)


class Stream:
    """A device that reports ten times a second, each report with its number as a value, and notes every answer."""

    def __init__(self, fw, certificate, name):
        self.fw, self.name, self.stopping = fw, name, threading.Event()
        self.device = Reporter(fw, certificate, name, keepalive=120)
        self.device.listen("json")
        self.sent = 0
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set() and not self.device.ended:
            self.sent += 1
            self.device.client.publish(f"$aws/things/{self.name}/defender/metrics/json", _body(self.sent), 1)
            self.stopping.wait(0.1)

    def accepted(self):
        return sorted(a["reportId"] for verdict, a in self.device.answers() if verdict == "accepted")

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def close(self):
        self.stop()
        self.device.close()


def _body(number):
    return json.dumps(report(number, {"listening_tcp_ports": {"total": number}}))


@pytest.fixture
def watched(make):
    fw = make()
    retain_ports(fw)
    streams = []

    def start(name):
        streams.append(Stream(fw, fw.thing(name), name))
        return streams[-1]
    yield fw, start
    for stream in streams:
        stream.close()


def all_there(fw, stream, seconds=40):
    """Every report that was sent is accepted and stored, once."""
    stream.stop()
    expected = list(range(1, stream.sent + 1))
    wait_for(lambda: set(stream.accepted()) == set(expected), seconds, f"all answers of {stream.sent}: "
             f"{set(expected) - set(stream.accepted())}")
    wait_for(lambda: counts(fw, stream.name) == expected, 10, "every value, once")


def test_a_killed_server_is_healed_and_devices_notice_nothing(watched):
    fw, start = watched
    stream = start("steady")
    wait_for(lambda: len(stream.accepted()) >= 5, 10, "reports")
    for _ in range(3):
        old = fw.pid("server")
        fw.signal("server", signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: fw.living("server") not in (None, old), 30, "another server")
        before = len(stream.accepted())
        wait_for(lambda: len(stream.accepted()) > before + 5, 30, "answers again")
        assert time.monotonic() - killed < 30
    fw.wait_ready(10)
    assert not stream.device.ended and stream.device.connects == 1
    all_there(fw, stream)


def test_a_killed_broker_is_healed_within_30_s(watched):
    fw, start = watched
    stream = start("steady")
    wait_for(lambda: len(stream.accepted()) >= 5, 10, "reports")
    old, server = fw.pid("broker"), fw.pid("server")
    fw.signal("broker", signal.SIGKILL)
    stream.device.wait_closed(5)
    stream.stop()
    accepted = set(stream.accepted())
    wait_for(lambda: fw.living("broker") not in (None, old), 30, "another broker")
    certificate = fw.thing("after")

    def served():
        try:
            with Reporter(fw, certificate, "after") as device:
                device.listen("json")
                return device.ask(report(int(time.time() * 1000)), seconds=3)[0] == "accepted"
        except Exception:
            return False
    wait_for(served, 30, "reports to be accepted again")
    assert fw.pid("server") == server and fw.brokers() == [fw.pid("broker")]
    # What was answered is there, once.
    stored = counts(fw, "steady")
    assert accepted <= set(stored) and len(stored) == len(set(stored))


@pytest.mark.parametrize("also", [[], ["server"], ["broker"], ["server", "broker"]], ids=lambda a: "+".join(["up"] + a))
def test_a_killed_up_started_again_at_once_serves_with_one_broker(watched, also):
    fw, start = watched
    stream = start("steady")
    wait_for(lambda: len(stream.accepted()) >= 5, 10, "reports")
    for part in also:  # stopped ones cannot help in ending
        fw.signal(part, signal.SIGSTOP)
    fw.signal("supervisor", signal.SIGKILL)
    fw.process.wait(5)
    most = 0

    def watch():
        nonlocal most
        owners = listeners(fw.mqtt_port)
        most = max(most, len(owners))
    fw.launch()
    started = time.monotonic()
    ready = threading.Thread(target=lambda: fw.wait_ready(60))
    ready.start()
    while ready.is_alive():
        watch()
        time.sleep(0.02)
    assert time.monotonic() - started < 60
    fw.wait_ready(1)
    assert most == 1, "two brokers"
    assert fw.brokers() == [fw.pid("broker")]
    stream.stop()
    accepted = set(stream.accepted())
    stored = counts(fw, "steady")
    assert accepted <= set(stored) and len(stored) == len(set(stored))
    with Reporter(fw, fw.thing("after"), "after") as device:
        device.listen("json")
        assert device.ask(report(1))[0] == "accepted"
    fw.stop()


def test_a_server_at_a_standstill_disturbs_no_device_and_loses_nothing(watched):
    fw, start = watched
    known = fw.thing("newcomer")
    stranger = fw.certificate(active=False)
    stream = start("steady")
    wait_for(lambda: len(stream.accepted()) >= 5, 10, "reports")
    fw.signal("server", signal.SIGSTOP)
    try:
        stopped = time.monotonic()
        time.sleep(0.5)
        # The broker admits whom it knows, enforces, carries messages.
        with Device(fw, known, "newcomer") as device:
            device.subscribe("between/us")
            device.publish("between/us", b"hello")
            device.wait_message("between/us")
            with pytest.raises(Exception):
                Device(fw, stranger, "stranger")
            assert not device.publish("$aws/events/presence/connected/x")
        while time.monotonic() - stopped < STANDSTILL:
            assert not stream.device.ended
            time.sleep(0.2)
    finally:
        fw.signal("server", signal.SIGCONT)
    before = len(stream.accepted())
    wait_for(lambda: len(stream.accepted()) > before + STANDSTILL * 5, 30, "the answers of that time")
    assert stream.device.connects == 1 and not stream.device.ended
    all_there(fw, stream)


def test_a_broker_that_starts_alone_enforces_the_last_policies(make):
    """D20: without a server the broker has the file that it left."""
    fw = make()
    known = fw.thing("known", [("Allow", "iot:Connect", "client/known"), ("Allow", ["iot:Publish", "iot:Receive"], "topic/ok/*"),
                               ("Allow", "iot:Subscribe", "topicfilter/ok/*")])
    inactive = fw.thing("inactive")
    fw.iot.update_certificate(certificateId=inactive.id, newStatus="INACTIVE")
    fw.signal("server", signal.SIGSTOP)
    try:
        old = fw.pid("broker")
        fw.signal("broker", signal.SIGKILL)
        wait_for(lambda: fw.living("broker") not in (None, old), 30, "another broker")

        def connected():
            try:
                return Device(fw, known, "known")
            except Refused:
                return None
        device = wait_for(connected, 15, "a known device")
        device.subscribe("ok/a")
        assert device.publish("ok/a", b"hello")
        device.wait_message("ok/a")
        assert not device.publish("denied/a")
        for certificate, client_id in ((inactive, "inactive"), (known, "other")):
            with pytest.raises(Refused):
                Device(fw, certificate, client_id)
    finally:
        fw.signal("server", signal.SIGCONT)


def test_a_broker_that_dies_at_once_is_started_less_and_less_often(make):
    fw = make()
    seen, end = [], time.monotonic() + 10
    while time.monotonic() < end:
        pid = fw.living("broker")
        if pid and pid not in seen:
            seen.append(pid)
            fw.signal("broker", signal.SIGKILL)
        time.sleep(0.01)
    # 0.2 s, doubling: six in the ten seconds; without it a broker each few hundredths.
    assert 3 <= len(seen) <= 7, seen
    fw.wait_ready(30)
    assert fw.brokers() == [fw.pid("broker")]


def test_alarms_survive_the_servers_death_and_are_not_doubled(make, mail):
    fw = make({"detect.min_duration_seconds": 1, "notify.smtp.url": mail.url})
    topic = fw.sns.create_topic(Name="alerts")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
    link = next(part for part in mails.links(mail.wait(1)[0]) if "ConfirmSubscription" in part)
    urllib.request.urlopen(link, context=ssl.create_default_context(cafile=fw.ca), timeout=10).close()
    fw.iot.create_security_profile(
        securityProfileName="Ports",
        behaviors=[{"name": "few", "metric": "aws:num-listening-tcp-ports", "criteria": {
            "comparisonOperator": "less-than", "value": {"count": 5}, "durationSeconds": 1}}],
        alertTargets={"SNS": {"alertTargetArn": topic, "roleArn": "arn:aws:iam::123456789012:role/r"}})
    fw.iot.attach_security_profile(securityProfileName="Ports",
                                   securityProfileTargetArn="arn:aws:iot:us-east-1:123456789012:all/things")
    certificate = fw.certificate()
    fw.iot.attach_policy(policyName=fw.policy("all", ("Allow", "iot:*", "*")), target=certificate.arn)
    names = [f"thing-{i}" for i in range(12)]
    devices = {name: Reporter(fw, certificate, name).listen("json") for name in names}
    number = 0

    def all_report(total):
        nonlocal number
        number += 1
        for name in names:
            devices[name].send(report(number, {"listening_tcp_ports": {"total": total}}))

    def answered():
        return all(len(d.answers()) >= number for d in devices.values())
    # One round so that the configuration is known to hold.
    all_report(1)
    wait_for(answered, 10, "answers")
    time.sleep(1)
    all_report(9)
    if not wait_for(answered, 10, "answers"):
        raise AssertionError
    fw.signal("server", signal.SIGKILL)
    fw.wait_ready(30)

    def active():
        found, token = [], None
        while True:
            page = fw.iot.list_active_violations(maxResults=250, **({"nextToken": token} if token else {}))
            found += page["activeViolations"]
            token = page.get("nextToken")
            if not token:
                return found
    wait_for(lambda: len(active()) == len(names), 15, "every alarm")
    wait_for(lambda: len({a["violationId"] for a in mails.alarms(mail.all())}) == len(names), 20, "a mail each")
    now = int(time.time())
    events = fw.iot.list_violation_events(startTime=now - 600, endTime=now + 60)["violationEvents"]
    assert sorted(e["thingName"] for e in events) == sorted(names)
    by_id = {}
    for message in mail.all():
        if mails.body(message).startswith("{"):
            by_id.setdefault(mails.alarm_json(message)["violationId"], set()).add(message["Message-ID"])
    # At least once, and a repetition carries the same Message-ID (D23).
    assert len(by_id) == len(names) and all(len(ids) == 1 for ids in by_id.values())
    for device in devices.values():
        assert device.connects == 1
        device.close()
