"""Each trap of the broker's plugin interface (docs/broker.md), with a real Mosquitto, over mutual TLS, against known
numbers."""
import os
import signal
import socket
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.edge import Certificates, EdgeUnderTest, policy, wait_for  # noqa: E402

NAMES = ["one", "two", "narrow", "inactive"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(str(tmp_path_factory.mktemp("pki")), NAMES)


@pytest.fixture
def edge(tmp_path, certificates):
    edge = EdgeUnderTest(tmp_path, certificates)
    edge.members["policies"].append(policy(
        ("Allow", ["iot:Connect"], ["client/*"]),
        ("Allow", ["iot:Publish", "iot:Receive"], ["topic/ok/*"]),
        ("Allow", ["iot:Subscribe"], ["topicfilter/ok/*"])))
    edge.members["certificates"] = [edge.certificate("one"), edge.certificate("two"),
                                    edge.certificate("narrow", policies=[1]), edge.certificate("inactive", status=1)]
    yield edge
    edge.stop()


def test_the_clock_comes_each_second_also_when_idle(edge):
    # Trap 6: with per_listener_settings there would be no TICK, hence no clock.
    edge.start()
    edge.server.settle()
    times = [frame["time"] for frame in edge.server.of("clock")]
    assert len(times) >= 3
    assert all(900 <= b - a <= 1300 for a, b in zip(times, times[1:]))
    assert abs(times[-1] / 1000 - time.time()) < 3


def test_trap_1_takeover_is_one_disconnect_and_its_will_is_not_sent_by_the_device(edge):
    edge.start()
    watcher = edge.connected("two", "watcher")
    assert watcher.subscribe("will") == [1]
    old = edge.connected("one", "dev", will=("will", b"gone"))
    new = edge.connected("one", "dev")
    assert old.is_closed()
    assert watcher.receive(1)[0] == ("will", b"gone")
    assert new.publish("a") == 0
    edge.server.settle()
    totals = edge.server.totals("dev")
    assert (totals["sent"], totals["disconnects"], totals["attempts"]) == (1, 1, 2)
    assert [f["reason"] for f in edge.server.of("disconnected", client="dev")] == ["DUPLICATE_CLIENTID"]
    assert [f["version"] for f in edge.server.of("connected", client="dev")] == [0, 1]


def test_trap_1_a_resumed_session_does_not_disconnect_twice(edge):
    edge.start()
    edge.connected("one", "dev", clean=False).disconnect()
    wait_for(lambda: edge.server.of("disconnected", client="dev"))
    edge.connected("one", "dev", clean=False)
    edge.server.settle()
    totals = edge.server.totals("dev")
    assert (totals["attempts"], totals["disconnects"]) == (2, 1)


def test_trap_2_overlapping_subscriptions_are_one_delivery(edge):
    edge.start()
    subscriber = edge.connected("one", "sub")
    assert subscriber.subscribe("a/#", "a/+", "a/b") == [1, 1, 1]
    publisher = edge.connected("two", "pub")
    for _ in range(10):
        publisher.publish("a/b")
    assert len(subscriber.receive(10)) == 10
    edge.server.settle()
    assert edge.server.totals("sub")["received"] == 10
    assert edge.server.totals("pub")["sent"] == 10


def test_trap_3_queued_messages_count_when_they_are_delivered(edge):
    edge.start()
    subscriber = edge.connected("one", "sub", clean=False)
    subscriber.subscribe("q")
    subscriber.disconnect()
    wait_for(lambda: edge.server.of("disconnected", client="sub"))
    publisher = edge.connected("two", "pub")
    for i in range(7):
        publisher.publish("q", b"%d" % i)
    edge.server.settle()
    assert edge.server.totals("sub")["received"] == 0
    again = edge.connected("one", "sub", clean=False)
    assert [m[1] for m in again.receive(7)] == [b"%d" % i for i in range(7)]
    edge.server.settle()
    assert edge.server.totals("sub")["received"] == 7


def test_trap_4_the_servers_answers_are_counted_as_received(edge):
    edge.start()
    device = edge.connected("one", "dev")
    device.subscribe("$aws/things/dev/defender/metrics/json/accepted")
    control = edge.control()
    assert control.publish("$aws/things/dev/defender/metrics/json/accepted", b"{}") == 0
    assert device.receive(1)[0][1] == b"{}"
    edge.server.settle()
    assert edge.server.totals("dev")["received"] == 1
    assert edge.server.totals("$server") == {}


def test_answers_in_one_command_are_delivered_and_counted_one_by_one(edge):
    edge.start()
    device = edge.connected("one", "dev")
    device.subscribe("$aws/things/dev/#", "$aws/things/dev/defender/+/json/accepted")
    topic, bodies = b"$aws/things/dev/defender/metrics/json/accepted", [b"%d" % n for n in range(50)]
    command = b"\x04" + b"".join(bytes([len(topic)]) + topic + bytes([len(b)]) + b for b in bodies)
    edge.control().post("$CONTROL/fleetward/v1", command, qos=0)
    assert sorted(m[1] for m in device.receive(50)) == sorted(bodies)
    edge.server.settle()
    assert edge.server.totals("dev")["received"] == 50


def test_answers_in_a_command_reach_only_those_who_may_receive(edge):
    edge.start()
    reader = edge.connected("narrow", "reader")
    assert reader.subscribe("ok/#") == [1]  # matches "ok" too, which the policy does not let it receive
    edge.control().post("$CONTROL/fleetward/v1", b"\x04\x02ok\x01a\x04ok/y\x01b", qos=0)
    assert reader.receive(1) == [("ok/y", b"b")]
    edge.server.settle()
    assert edge.server.totals("reader")["received"] == 1


def test_trap_5_connections_that_never_were_sessions_are_counted_by_address(edge):
    edge.start()
    other = edge.connected("two", "other")
    # One that is gone before the broker looks at it leaves a log line only: wait until each was accepted.
    # From an address of their own: edge.start() has tried the port as well.
    scans = [socket.create_connection(("127.0.0.1", edge.port), source_address=("127.0.0.2", 0)) for _ in range(20)]
    for scan in scans:
        scan.sendall(b"\x16\x03")
    other.ping(), other.ping()
    for scan in scans:
        scan.close()
    silent = edge.tls("one")  # a handshake, then nothing; the broker must have seen the end of the handshake
    other.ping(), other.ping()
    silent.close()
    edge.server.settle()
    assert sum(f["count"] for f in edge.server.of("refused", reason="NO_HANDSHAKE", ip="127.0.0.2")) == 20
    assert [f["ip"] for f in edge.server.of("refused", reason="NO_CONNECT")] == ["127.0.0.1"]


def test_refused_connects_count_one_attempt_and_one_failure(edge):
    edge.start()
    assert edge.mqtt("inactive").connect("dev") == 5
    edge.server.settle()
    totals = edge.server.totals("dev")
    assert (totals["attempts"], totals["auth_failures"], totals["disconnects"]) == (1, 1, 0)
    refused = edge.server.of("refused", reason="CERTIFICATE_NOT_ACTIVE")
    assert len(refused) == 1 and refused[0]["client"] == "dev"
    assert refused[0]["fingerprint"] == edge.certificates.ids["inactive"]


def test_trap_7_sighup_drops_nobody_and_keeps_queues(edge):
    edge.start()
    sleeper = edge.connected("one", "sleeper", clean=False)
    sleeper.subscribe("q")
    sleeper.disconnect()
    awake = edge.connected("two", "awake")
    awake.publish("q", b"before")
    os.kill(edge.broker_pid(), signal.SIGHUP)
    for _ in range(5):
        awake.ping()
    awake.publish("q", b"after")
    again = edge.connected("one", "sleeper", clean=False)
    assert [m[1] for m in again.receive(2)] == [b"before", b"after"]
    edge.server.settle()
    assert edge.server.totals("awake")["attempts"] == 1


def test_trap_8_nonsense_commands_do_not_disconnect_the_server(edge):
    edge.start()
    control = edge.control()
    for command in (b"", b"\xff", b"\x02nonsense", b"\x03\x01\x05no"):
        control.post("$CONTROL/fleetward/v1", command)
        control.ping()
    edge.server.settle()
    assert [f["ok"] for f in edge.server.of("applied")] == [False]


def test_retained_messages_count_on_delivery(edge):
    edge.start()
    publisher = edge.connected("one", "pub")
    for i in range(3):
        publisher.publish(f"r/{i}", retain=True)
    subscriber = edge.connected("two", "sub")
    subscriber.subscribe("r/+")  # gets none: the service delivers to the topic's own filter only
    subscriber.subscribe("r/0", "r/1", "r/2")
    assert len(subscriber.receive(3)) == 3
    edge.server.settle()
    assert edge.server.totals("sub")["received"] == 3


def test_bytes_and_the_largest_payload(edge):
    edge.start()
    device = edge.connected("one", "dev")
    for size in (10, 1000, 50):
        device.publish("t", b"x" * size)
        device.publish("t", b"x" * size, qos=0)
    edge.server.settle()
    totals = edge.server.totals("dev")
    assert (totals["sent"], totals["bytes"], totals["max_payload"]) == (6, 2120, 1000)


def test_disconnect_reasons_come_from_the_brokers_log(edge):
    edge.start()
    watcher = edge.connected("two", "watcher")
    watcher.subscribe("w")
    edge.connected("one", "clean").disconnect()
    edge.connected("one", "lost").drop()
    bad = edge.connected("one", "bad")
    bad.sock.sendall(b"\xf0\x00")
    assert bad.is_closed()
    silent = edge.connected("one", "silent closed its connection.", keepalive=1, will=("w", b"will"))
    assert silent.is_closed(timeout=20)
    edge.server.settle()
    reasons = {f["client"]: f["reason"] for f in edge.server.of("disconnected")}
    assert reasons == {"clean": "CLIENT_INITIATED_DISCONNECT", "lost": "CONNECTION_LOST", "bad": "CLIENT_ERROR",
                       "silent closed its connection.": "MQTT_KEEP_ALIVE_TIMEOUT"}
    assert watcher.receive(1)[0][1] == b"will"
    assert edge.server.totals("silent closed its connection.")["sent"] == 0


@pytest.mark.parametrize("protocol", [3, 4])
def test_denied_requests_close_mqtt_3(edge, protocol):
    edge.start()
    device = edge.connected("narrow", "dev", protocol)
    assert device.publish("ok/1") == 0
    device.post("denied")
    assert device.is_closed()
    device = edge.connected("narrow", "dev", protocol)
    with pytest.raises(Exception):
        device.subscribe("denied/#")
    edge.server.settle()
    totals = edge.server.totals("dev")
    assert (totals["sent"], totals["auth_failures"]) == (1, 2)
    assert {f["topic"] for f in edge.server.of("refused", reason="DENIED")} == {"denied", "denied/#"}
    assert {f["reason"] for f in edge.server.of("disconnected", client="dev")} == {"AUTH_ERROR"}


def test_denied_requests_get_a_code_in_mqtt_5(edge):
    edge.start()
    device = edge.connected("narrow", "dev", 5)
    assert device.publish("denied") == 0x87
    assert device.subscribe("denied/#", "ok/1") == [0x87, 1]
    assert device.publish("ok/1") == 0
    edge.server.settle()
    assert edge.server.totals("dev")["auth_failures"] == 2


def test_denied_subscribes_can_be_answered(tmp_path, certificates):
    edge = EdgeUnderTest(tmp_path, certificates, close_on_denied_subscribe="false")
    edge.members["policies"] = [policy(("Allow", ["iot:Connect"], ["*"]))]
    edge.members["certificates"] = [edge.certificate("one")]
    try:
        edge.start()
        assert edge.connected("one", "dev").subscribe("a") == [0x80]
    finally:
        edge.stop()


def test_a_denied_receive_is_silent(edge):
    edge.start()
    reader = edge.connected("narrow", "reader")
    assert reader.subscribe("ok/*") == [1]
    assert reader.subscribe("ok/#") == [1]
    writer = edge.connected("one", "writer")
    writer.publish("ok/x")
    assert reader.receive(1) == [("ok/x", b"x")]
    edge.server.settle()
    assert edge.server.totals("reader")["received"] == 1
