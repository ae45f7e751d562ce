"""Cloud-side counts, from real packets to ListMetricValues, against known numbers (D41); what a killed broker may lose (D23)."""
import signal
import time
import uuid

import pytest

from support.device import Device, Refused
from support.processes import wait_for

SENT, RECEIVED, FAILURES = "aws:num-messages-sent", "aws:num-messages-received", "aws:num-authorization-failures"
ATTEMPTS, DISCONNECTS, SIZE = "aws:num-connection-attempts", "aws:num-disconnects", "aws:message-byte-size"
COUNTS = (SENT, RECEIVED, FAILURES, ATTEMPTS, DISCONNECTS)
KEPT = 2.5  # seconds that totals must stay: buckets are one second long


@pytest.fixture(scope="module")
def fw(make_shared):
    fw = make_shared({"detect.min_duration_seconds": 1, "mqtt.on_denied_subscribe": "suback"})
    fw.iot.create_security_profile(securityProfileName="counts",
                                   additionalMetricsToRetainV2=[{"metric": metric} for metric in (*COUNTS, SIZE)])
    fw.iot.attach_security_profile(securityProfileName="counts",
                                   securityProfileTargetArn="arn:aws:iot:us-east-1:123456789012:all/things")
    return fw


class Counted:
    """A thing whose counts are looked at."""

    def __init__(self, fw, policy=None):
        self.fw, self.name, self.since = fw, "n-" + uuid.uuid4().hex[:10], time.time() - 2
        self.certificate = fw.thing(self.name, policy)

    def device(self, **options):
        return Device(self.fw, self.certificate, self.name, **options)

    def data(self, metric):
        out, token = [], {}
        while True:
            page = self.fw.iot.list_metric_values(thingName=self.name, metricName=metric, startTime=self.since,
                                                  endTime=time.time() + 60, maxResults=250, **token)
            out += [each["value"]["count"] for each in page["metricDatumList"]]
            if "nextToken" not in page:
                return out
            token = {"nextToken": page["nextToken"]}

    def totals(self):
        return tuple(sum(self.data(metric)) for metric in COUNTS)

    def expect(self, sent=0, received=0, failures=0, attempts=0, disconnects=0):
        """Exactly these, and no more afterwards."""
        wanted = (sent, received, failures, attempts, disconnects)
        try:
            wait_for(lambda: self.totals() == wanted, 20)
        except AssertionError:
            raise AssertionError(f"{self.totals()} instead of {wanted}") from None
        time.sleep(KEPT)
        assert self.totals() == wanted


def test_overlapping_subscriptions_are_one_delivery(fw):
    sender, reader = Counted(fw), Counted(fw)
    with reader.device() as r, sender.device() as s:
        for filter_ in (f"{reader.name}/#", f"{reader.name}/+", f"{reader.name}/a"):
            r.subscribe(filter_)
        for _ in range(25):
            assert s.publish(f"{reader.name}/a", b"12345")
        r.wait_message(f"{reader.name}/a", 25)
    sender.expect(sent=25, attempts=1, disconnects=1)
    reader.expect(received=25, attempts=1, disconnects=1)
    assert max(sender.data(SIZE)) == 5


def test_what_is_queued_counts_when_it_is_delivered(fw):
    sender, reader = Counted(fw), Counted(fw)
    with reader.device(clean=False) as r:
        r.subscribe(f"{reader.name}/#")
    with sender.device() as s:
        for i in range(12):
            assert s.publish(f"{reader.name}/{i % 3}")
    reader.expect(received=0, attempts=1, disconnects=1)
    with reader.device(clean=False) as r:
        wait_for(lambda: len(r.received()) == 12, 10)
    sender.expect(sent=12, attempts=1, disconnects=1)
    reader.expect(received=12, attempts=2, disconnects=2)


def test_retained_messages_and_wills(fw):
    """A retained message counts for its sender once and for each who gets it; a will for nobody who sends."""
    sender, reader = Counted(fw), Counted(fw)
    with sender.device() as s:
        assert s.publish(f"{reader.name}/kept", b"x", 1, retain=True)
    with reader.device() as r:
        r.subscribe(f"{reader.name}/kept")
        r.wait_message(f"{reader.name}/kept")
        r.subscribe(f"{reader.name}/will")
        dying = sender.device(will=(f"{reader.name}/will", b"gone", 1))
        dying.drop()
        r.wait_message(f"{reader.name}/will")
    sender.expect(sent=1, attempts=2, disconnects=2)
    reader.expect(received=2, attempts=1, disconnects=1)


def test_take_over_and_keep_alive(fw):
    one = Counted(fw)
    first = one.device()
    second = one.device()
    first.wait_closed()
    assert second.publish("hello")
    second.close()
    one.expect(sent=1, attempts=2, disconnects=1 + 1)
    first.close()
    silent = Counted(fw)
    quiet = silent.device(keepalive=5)
    quiet.client._thread_terminate = True  # paho's thread ends: no more PINGREQ, the socket stays
    silent.expect(attempts=1, disconnects=1)
    quiet.close()


def test_refused_connects_subscribes_and_publishes(fw):
    """Each is one failure; what was refused was not sent. A refused CONNECT is an attempt and no disconnect."""
    one = Counted(fw, [("Allow", "iot:*", "*"), ("Deny", ["iot:Publish", "iot:Receive"], "topic/no/*"),
                       ("Deny", "iot:Subscribe", "topicfilter/no/#")])
    with one.device() as device:
        for _ in range(3):
            assert device.subscribe("no/#") == 0x80
        assert device.publish("yes/1")
        assert not device.publish("no/1")  # closes
    one.expect(sent=1, failures=4, attempts=1, disconnects=1)
    fw.iot.update_certificate(certificateId=one.certificate.id, newStatus="INACTIVE")
    for _ in range(2):
        with pytest.raises(Refused):
            one.device()
    one.expect(sent=1, failures=6, attempts=3, disconnects=1)


def test_a_delivery_that_is_not_allowed_counts_for_nobody(fw):
    sender = Counted(fw)
    reader = Counted(fw, [("Allow", "iot:*", "*"), ("Deny", "iot:Receive", "topic/closed/*")])
    with reader.device() as r, sender.device() as s:
        r.subscribe("closed/#")
        r.subscribe("open/#")
        for _ in range(7):
            assert s.publish("closed/1")
        assert s.publish("open/1")
        r.wait_message("open/1")
    sender.expect(sent=8, attempts=1, disconnects=1)
    reader.expect(received=1, attempts=1, disconnects=1)


def test_a_second_client_id_of_a_things_certificate_counts_for_the_thing(fw):
    one = Counted(fw)
    with one.device() as named, Device(fw, one.certificate, one.name + "-2") as other:
        for device in (named, other):
            for _ in range(5):
                assert device.publish("hello")
    one.expect(sent=10, attempts=2, disconnects=2)


def test_a_killed_broker_loses_a_second_at_most(make):
    fw = make({"detect.min_duration_seconds": 1})
    fw.iot.create_security_profile(securityProfileName="counts", additionalMetricsToRetainV2=[{"metric": SENT}])
    fw.iot.attach_security_profile(securityProfileName="counts",
                                   securityProfileTargetArn="arn:aws:iot:us-east-1:123456789012:all/things")
    one = Counted(fw)
    times = []
    with one.device() as device:
        end = time.time() + 4
        while time.time() < end:
            assert device.publish("tick", qos=1)
            times.append(time.time())
            time.sleep(0.02)
        killed = time.time()
        fw.signal("broker", signal.SIGKILL)
    wait_for(lambda: fw.living("broker"), 30)
    safe = sum(1 for at in times if at < killed - 1.25)  # a second, and a loaded machine's turn of the loop
    counted = 0

    def steady():
        nonlocal counted
        before, counted = counted, sum(one.data(SENT))
        return counted and counted == before
    wait_for(steady, 30, every=2)
    assert safe <= counted <= len(times), (safe, counted, len(times))
