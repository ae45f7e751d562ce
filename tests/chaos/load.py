"""Devices that report steadily through every fault and keep books: what they sent, and what was answered."""
import json
import random
import threading
import time
import uuid

from support.device import Device
from support.processes import wait_for

NUMBER = "aws:num-listening-tcp-ports"   # its value is the report's number: the books can be compared with the store
JUDGED = "aws:num-listening-udp-ports"   # the behavior's metric
GOOD, BAD = 1, 50


def is_bad(number):
    """Each sixth: one report that is lost, doubled or judged late changes the count of alarms."""
    return number % 6 == 5


def body(number, bad=None, ports=0):
    """`ports`: how many it lists, to make it large."""
    bad = is_bad(number) if bad is None else bad
    tcp = {"total": number}
    if ports:
        tcp["ports"] = [{"port": p} for p in random.sample(range(1, 65536), ports)]
    return json.dumps({"header": {"report_id": number, "version": "1.0"}, "metrics": {
        "listening_tcp_ports": tcp, "listening_udp_ports": {"total": BAD if bad else GOOD}}})


class Reporter:
    """Sends report after report; like an agent it repeats one until it is answered, over as many connections as it takes.
    `eager`: it sends each once and goes on without waiting; `sent_at` keeps the times."""

    def __init__(self, fw, certificate, name, interval=0.3, repeat_after=2.0, bad=None, ports=0, eager=False):
        self.fw, self.certificate, self.name = fw, certificate, name
        self.interval, self.repeat_after, self.bad, self.ports = interval, repeat_after, bad, ports
        self.body, self.eager, self.sent_at = None, eager, {}
        self.sent, self.accepted, self.rejected, self.connects = 0, set(), set(), 0
        self.lock = threading.Condition()
        self.stopping, self.paused = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set():
            try:
                device = Device(self.fw, self.certificate, self.name, keepalive=20)
            except Exception:  # refused, reset, timed out: whatever a dying broker does
                self.stopping.wait(0.2)
                continue
            self.connects += 1
            device.client.on_message = self._message
            try:
                self._serve(device)
            except Exception:
                pass
            finally:
                try:
                    device.drop()
                except Exception:
                    pass

    def _message(self, _client, _userdata, message):
        number = json.loads(message.payload)["reportId"]
        with self.lock:
            (self.accepted if message.topic.endswith("accepted") else self.rejected).add(number)
            self.lock.notify_all()

    def _serve(self, device):
        for verdict in ("accepted", "rejected"):
            device.subscribe(f"$aws/things/{self.name}/defender/metrics/json/{verdict}", seconds=5)
        while not self.stopping.is_set() and not device.ended:
            if self.eager or self.sent == 0 or self.sent in self.accepted | self.rejected:
                self.stopping.wait(self.interval)
                while self.paused.is_set() and not self.stopping.is_set():
                    time.sleep(0.05)
                if self.stopping.is_set():
                    return
                self.body = body(self.sent + 1, self.bad, self.ports)
                self.sent_at[self.sent + 1] = time.time()
                self.sent += 1
            device.client.publish(f"$aws/things/{self.name}/defender/metrics/json", self.body, 1)
            if self.eager:
                continue
            deadline = time.monotonic() + self.repeat_after
            with self.lock:
                while self.sent not in self.accepted | self.rejected and not device.ended:
                    if not self.lock.wait(0.1) and (time.monotonic() > deadline or self.stopping.is_set()):
                        break

    def unanswered(self):
        return sorted(set(range(1, self.sent + 1)) - self.accepted - self.rejected)

    def stop(self):
        self.stopping.set()
        self.thread.join(20)


class Fleet:
    """`count` things that share a certificate, and a profile with one behavior on all of them."""

    def __init__(self, fw, count, topic=None, prefix="device", **keywords):
        self.fw = fw
        target = topic and {"SNS": {"alertTargetArn": topic, "roleArn": "arn:aws:iam::123456789012:role/r"}}
        fw.iot.create_security_profile(
            securityProfileName="Watched",
            behaviors=[{"name": "few", "metric": JUDGED, "criteria": {
                "comparisonOperator": "less-than", "value": {"count": 10}, "durationSeconds": 300, "consecutiveDatapointsToAlarm": 1,
                "consecutiveDatapointsToClear": 1}}],
            additionalMetricsToRetainV2=[{"metric": NUMBER}], **({"alertTargets": target} if target else {}))
        fw.iot.attach_security_profile(securityProfileName="Watched",
                                       securityProfileTargetArn=fw.arn("all", "things"))
        certificate = fw.certificate(name=f"{prefix}-{uuid.uuid4().hex[:6]}")
        policy = fw.policy(f"fleet-{uuid.uuid4().hex[:8]}", ("Allow", "iot:*", "*"))
        fw.iot.attach_policy(policyName=policy, target=certificate.arn)
        self.certificate = certificate
        names = [f"{prefix}-{i}" for i in range(count)]
        for name in names:
            fw.iot.create_thing(thingName=name)
        self.reporters = [Reporter(fw, certificate, name, **keywords) for name in names]

    def total(self):
        return sum(len(r.accepted) for r in self.reporters)

    def pause(self):
        """No new reports; returns when each of those sent is answered."""
        for reporter in self.reporters:
            reporter.paused.set()

        def missing():
            return [(r.name, n, round(r.sent_at[n], 1)) for r in self.reporters for n in r.unanswered()]

        wait_for(lambda: not missing(), 60, lambda: f"answers: {missing()}")

    def resume(self):
        for reporter in self.reporters:
            reporter.paused.clear()

    def stop(self):
        for reporter in self.reporters:
            reporter.stopping.set()
        for reporter in self.reporters:
            reporter.stop()

    def check_stored(self, start):
        """Every report is stored once, and accepted: each was repeated until it was answered."""
        problems = []
        for reporter in self.reporters:
            stored = [value for _, value in values(self.fw, reporter.name, NUMBER, start)]
            doubles = sorted({v for v in stored if stored.count(v) > 1})
            missing = sorted(reporter.accepted - set(stored))
            strange = sorted(set(stored) - set(range(1, reporter.sent + 1)))
            if doubles or missing or strange or reporter.rejected:
                problems.append((reporter.name, {"twice": doubles, "missing": missing, "never sent": strange,
                                                 "rejected": sorted(reporter.rejected)}))
        assert not problems, problems


def values(fw, thing, metric, start):
    """(timestamp, count) of all stored values, as ListMetricValues gives them."""
    out, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = fw.iot.list_metric_values(thingName=thing, metricName=metric, startTime=int(start) - 5,
                                         endTime=int(time.time()) + 700, maxResults=250, **more)
        out += [(d["timestamp"], int(d["value"]["count"])) for d in page["metricDatumList"]]
        token = page.get("nextToken")
        if not token:
            return out


def events(fw, start, **filters):
    out, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = fw.iot.list_violation_events(startTime=int(start) - 5, endTime=int(time.time()) + 700, maxResults=250,
                                            **filters, **more)
        out += page["violationEvents"]
        token = page.get("nextToken")
        if not token:
            return out


def expected_transitions(numbers):
    """(alarms, clears) that a series of report numbers makes, in the order in which they were taken."""
    alarm, alarms, clears = False, 0, 0
    for number in numbers:
        if is_bad(number) and not alarm:
            alarm, alarms = True, alarms + 1
        elif not is_bad(number) and alarm:
            alarm, clears = False, clears + 1
    return alarms, clears
