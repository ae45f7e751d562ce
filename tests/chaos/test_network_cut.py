"""An hour's cut of 50 agents, shortened: reports every second, half a minute without a network (D4, D6, D15). Afterwards
no series has a gap, every report is stored at its own time, and no alarm came."""
import json
import os
import socket
import threading
import time

import paho.mqtt.client as mqtt
import pytest
import ssl

from load import BAD, GOOD, JUDGED, NUMBER, events, values
from support.processes import free_port, wait_for

CUT = int(os.environ.get("FLEETWARD_CHAOS_CUT", "30"))
REAL, SIMULATED = 4, 46
BYTES_A_SECOND = 1000
# Shorter than the cut, as in an hour's.
KEEPALIVE = 10


class Wire:
    """A TCP proxy in front of the broker. While it is cut, half of its connections are reset and half fall silent, and
    new ones are refused."""

    def __init__(self, target):
        self.target, self.port = target, free_port()
        self.pairs, self.lock = [], threading.Lock()
        self.open = threading.Event()
        self.open.set()
        self.stopping = False
        self.listener = None
        self.join()
        threading.Thread(target=self._accept, daemon=True).start()

    def join(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.listener = listener
        # An hour later no connection of before is alive: what was in flight does not arrive any more.
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            self._reset(pair)
        self.open.set()

    def cut(self):
        self.open.clear()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for number, pair in enumerate(pairs):
            if number % 2 == 0:
                self._reset(pair)
            else:
                self.pairs.append(pair)

    @staticmethod
    def _reset(pair):
        for end in pair:
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.shutdown(socket.SHUT_RDWR)
                end.close()
            except OSError:
                pass

    def _accept(self):
        while not self.stopping:
            self.open.wait()
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                time.sleep(0.05)
                continue
            with self.lock:
                self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    def _copy(self, source, sink):
        try:
            while block := source.recv(65536):
                self.open.wait()
                sink.sendall(block)
        except OSError:
            pass
        self._reset((source, sink))

    def end(self):
        self.stopping = True
        self.open.set()
        self._reset((self.listener,))
        with self.lock:
            for pair in self.pairs:
                self._reset(pair)


class ByWire:
    """What an agent needs of a Fleetward, with the wire in between."""

    def __init__(self, fw, wire):
        self.scratch, self.environment, self.endpoint = fw.scratch, fw.environment, {**fw.endpoint, "mqtt_port": wire.port}


class Spooler:
    """Samples every second, whatever happens; sends what is unanswered, oldest first, two a second, as agents do."""

    def __init__(self, endpoint, certificate, name):
        self.endpoint, self.name = endpoint, name
        self.client = mqtt.Client(client_id=name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(endpoint["ca"])
        context.load_cert_chain(certificate.pem, certificate.key)
        self.client.tls_set_context(context)
        self.client.on_connect, self.client.on_message = self._connected, self._message
        self.client.on_disconnect = self._disconnected
        self.client.reconnect_delay_set(1, 3)
        self.sampled, self.spool, self.accepted, self.sampled_at = 0, {}, set(), {}
        self.fresh = None
        self.lock = threading.Lock()
        self.ready = False
        self.next = time.monotonic()
        self.client.connect_async(endpoint["mqtt_host"], endpoint["mqtt_port"], keepalive=KEEPALIVE)
        self.client.loop_start()

    def _connected(self, client, *_):
        client.subscribe([(f"$aws/things/{self.name}/defender/metrics/json/{v}", 1) for v in ("accepted", "rejected")])
        self.ready = True

    def _disconnected(self, *_):
        self.ready = False

    def _message(self, _client, _userdata, message):
        answer = json.loads(message.payload)
        with self.lock:
            if message.topic.endswith("accepted"):
                self.accepted.add(answer["reportId"])
                self.spool.pop(answer["reportId"], None)

    def second(self, during_cut):
        """One sample, and at most two of the spool."""
        with self.lock:
            spooled = list(self.spool)[:2] if self.ready else []
            self.sampled += 1
            number, now = self.sampled, int(time.time())
            metrics = {"listening_tcp_ports": {"total": number},
                       # What happened in the cut is late: it raises nothing any more.
                       "listening_udp_ports": {"total": BAD if during_cut else GOOD},
                       "network_stats": {"bytes_out": BYTES_A_SECOND, "bytes_in": 1, "packets_out": 1, "packets_in": 1}}
            self.spool[number] = (now, metrics)
            self.sampled_at[number] = now
            bodies = [self._body(n, *self.spool[n]) for n in spooled]
            if self.ready:
                bodies.append(self._body(number, None, metrics))
        for body in bodies:
            self.client.publish(f"$aws/things/{self.name}/defender/metrics/json", body, 0)

    @staticmethod
    def _body(number, spooled_at, metrics):
        header = {"report_id": number, "version": "1.0"}
        if spooled_at:
            header["spooled_at"] = spooled_at
        return json.dumps({"header": header, "metrics": metrics})

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Beat:
    """One thread that beats all spoolers once a second."""

    def __init__(self, spoolers):
        self.spoolers, self.in_cut, self.stopping = spoolers, False, threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        step, due = 1.0 / len(self.spoolers), time.monotonic()
        while not self.stopping.is_set():
            for spooler in self.spoolers:
                due += step
                time.sleep(max(0.0, due - time.monotonic()))
                spooler.second(self.in_cut)

    def stop(self):
        self.stopping.set()
        self.thread.join()


def watch(fw):
    fw.iot.create_security_profile(
        securityProfileName="Watched",
        behaviors=[
            {"name": "ports", "metric": JUDGED, "criteria": {
                "comparisonOperator": "less-than", "value": {"count": 10}, "durationSeconds": 300}},
            {"name": "bytes", "metric": "aws:all-bytes-out", "criteria": {
                "comparisonOperator": "less-than", "value": {"count": 16 * BYTES_A_SECOND}, "durationSeconds": 10}},
            {"name": "quiet", "metric": "aws:all-bytes-out", "criteria": {
                "comparisonOperator": "greater-than", "value": {"count": 4 * BYTES_A_SECOND}, "durationSeconds": 10}},
            {"name": "failures", "metric": "aws:num-authorization-failures", "criteria": {
                "comparisonOperator": "less-than-equals", "value": {"count": 0}, "durationSeconds": 10}}],
        additionalMetricsToRetainV2=[{"metric": NUMBER}])
    group = fw.iot.create_thing_group(thingGroupName="simulated")["thingGroupArn"]
    fw.iot.attach_security_profile(securityProfileName="Watched", securityProfileTargetArn=group)
    fw.iot.create_security_profile(securityProfileName="Real", additionalMetricsToRetainV2=[{"metric": NUMBER}])
    fw.iot.attach_security_profile(securityProfileName="Real", securityProfileTargetArn=fw.arn("all", "things"))


@pytest.fixture
def fleet(make):
    fw = make({"detect.min_duration_seconds": 10})
    watch(fw)
    wire = Wire(fw.mqtt_port)
    by_wire = ByWire(fw, wire)
    certificate = fw.certificate()
    fw.iot.attach_policy(policyName=fw.policy("all", ("Allow", "iot:*", "*")), target=certificate.arn)
    names = [f"device-{i}" for i in range(SIMULATED)]
    for name in names:
        fw.iot.create_thing(thingName=name)
        fw.iot.add_thing_to_thing_group(thingGroupName="simulated", thingName=name)
    real = [f"agent-{i}" for i in range(REAL)]
    certificates = [fw.thing(name) for name in real]
    from support.fleetward import RunningAgent
    agents = {name: RunningAgent(by_wire, c, name, ("-i", "1", "--set", f"keep_alive_seconds={KEEPALIVE}"), "", None) for name, c in zip(real, certificates)}
    spoolers = [Spooler(by_wire.endpoint, certificate, name) for name in names]
    beat = Beat(spoolers)
    yield fw, wire, agents, spoolers, beat
    beat.stop()
    for spooler in spoolers:
        spooler.close()
    wire.end()


def spooled(agent):
    return [name for _, _, names in os.walk(os.path.join(agent.folder, "spool")) for name in names]


def gaps(times, most):
    times = sorted(times)
    return [(round(b - a, 1)) for a, b in zip(times, times[1:]) if b - a > most]


def test_a_cut_leaves_no_gap_and_no_false_alarm(fleet):
    fw, wire, agents, spoolers, beat = fleet
    start = time.time() - 5
    wait_for(lambda: all(len(s.accepted) >= 5 for s in spoolers), 60, "reports of all")
    for agent in agents.values():
        agent.wait_accepted(5, 30)
    began = time.time()
    beat.in_cut = True
    wire.cut()
    time.sleep(CUT)
    wire.join()
    beat.in_cut = False
    ended = time.time()
    at = max(s.sampled for s in spoolers)
    # Two a second from the spool, one a second of new ones.
    wait_for(lambda: all(len(s.spool) <= 2 for s in spoolers), 3 * CUT + 60,
             lambda: f"empty spools: {[(s.name, len(s.spool)) for s in spoolers if len(s.spool) > 2]}")
    wait_for(lambda: all(s.sampled > at + 12 for s in spoolers), 60, "a window after the cut")
    for name, agent in agents.items():
        wait_for(lambda: len(spooled(agent)) <= 1, 3 * CUT + 60, f"{name}'s empty spool")
    beat.stop()
    time.sleep(1)
    problems = []
    for spooler in spoolers:
        stored = values(fw, spooler.name, NUMBER, start)
        numbers = [n for _, n in stored]
        if len(numbers) != len(set(numbers)) or not spooler.accepted <= set(numbers):
            problems.append((spooler.name, "twice or missing", sorted(spooler.accepted - set(numbers))[:5],
                             sorted({n for n in numbers if numbers.count(n) > 1})[:5]))
        off = [(n, t.timestamp() - spooler.sampled_at[n]) for t, n in stored
               if not -1.5 < t.timestamp() - spooler.sampled_at[n] < 3]
        if off:
            problems.append((spooler.name, "at another time", off[:5]))
        if found := gaps([t.timestamp() for t, _ in stored], 3.5):
            problems.append((spooler.name, "gaps", found))
    for name, agent in agents.items():
        times = [t.timestamp() for t, _ in values(fw, name, NUMBER, start)]
        during = [t for t in times if began + 1 < t < ended - 1]
        if len(during) < CUT * 0.8 or (found := gaps(times, 3.5)):
            problems.append((name, "gaps", len(during), [(round(a - began, 1), round(b - began, 1)) for a, b in zip(
                sorted(times), sorted(times)[1:]) if b - a > 3.5], agent.log_file))
    assert not problems, problems
    false = events(fw, start)
    assert not false, [(e["thingName"], e["behavior"]["name"], e.get("metricValue"), e["violationEventType"])
                       for e in false][:10]
