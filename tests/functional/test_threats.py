"""Attacks of docs/threat-model.md that fit no other file."""
import contextlib
import json
import os
import select
import socket
import ssl
import subprocess
import time
import urllib.request

import pytest

from support import processes
from support.device import Device, Reporter, report
from support.edge import Mqtt
from support.paths import TLS_LOAD
from support.processes import wait_for

# Threat g at its full size: some ten minutes.
LONG = bool(os.environ.get("FLEETWARD_LONG_TESTS"))
NAMES = int(os.environ.get("FLEETWARD_THREAT_NAMES", "100000" if LONG else "3000"))


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared()


def test_n_renegotiation_is_refused_by_the_broker(fw):
    certificate = fw.thing("renegotiates")
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{fw.mqtt_port}", "-tls1_2", "-CAfile",
                               fw.ca, "-cert", certificate.pem, "-key", certificate.key], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, _ = client.communicate("R\n", timeout=20)  # openssl's client asks for one with a line "R"
    assert "RENEGOTIATING" in said and "Verify return code: 0" in said, said
    assert "no renegotiation" in said, said


def test_l_silent_connections_to_the_brokers_port_end(fw):
    """The broker gives each connection a keep-alive of 60 s until its CONNECT says another, and looks every 6 s."""
    certificate = fw.thing("silent")
    context = ssl.create_default_context(cafile=fw.ca)
    context.load_cert_chain(certificate.pem, certificate.key)
    hello = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    hello = hello.read()
    started = time.monotonic()
    kinds, sockets = {}, []
    with contextlib.ExitStack() as cleanup:
        def opened(kind, sock):
            cleanup.enter_context(sock)
            kinds[sock.fileno()] = kind
            sockets.append(sock)
            return sock
        for _ in range(3):
            opened("nothing sent", socket.create_connection(("127.0.0.1", fw.mqtt_port)))
            opened("half a ClientHello",
                   socket.create_connection(("127.0.0.1", fw.mqtt_port))).sendall(hello[:len(hello) // 2])
            raw_socket = socket.create_connection(("127.0.0.1", fw.mqtt_port))
            opened("no CONNECT", context.wrap_socket(raw_socket, server_hostname="localhost"))
            raw_socket = socket.create_connection(("127.0.0.1", fw.mqtt_port))
            opened("half a CONNECT", context.wrap_socket(raw_socket, server_hostname="localhost")).sendall(b"\x10\x20\x00")
            opened("a dribbled ClientHello", socket.create_connection(("127.0.0.1", fw.mqtt_port)))
        dribblers = [[sock, 0] for sock in sockets if kinds[sock.fileno()] == "a dribbled ClientHello"]
        ends = {}
        next_drop = 0
        while len(ends) < len(sockets) and time.monotonic() - started < 110:
            if time.monotonic() >= next_drop:
                next_drop = time.monotonic() + 1
                for each in dribblers:
                    if each[0].fileno() not in ends:
                        with contextlib.suppress(OSError):
                            each[0].sendall(hello[each[1]:each[1] + 1])
                        each[1] += 1
            open_ones = [sock for sock in sockets if sock.fileno() not in ends]
            for sock in select.select(open_ones, [], [], 0.2)[0]:
                try:
                    more = sock.recv(65536)  # a session ticket, maybe
                except ssl.SSLWantReadError:
                    continue
                except OSError:
                    more = b""
                if not more:
                    ends[sock.fileno()] = time.monotonic() - started
    assert len(ends) == len(sockets), [kinds[fd] for fd in kinds if fd not in ends]
    for fd, seconds in ends.items():
        assert 80 < seconds < 105, (kinds[fd], seconds)


# g: what one certificate can make the processes hold

def resident_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def counter(fw, name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{fw.metrics_port}/metrics", timeout=20).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith(name) and line[len(name)] in " {")


def raw(fw, certificate, client_id, clean=True, receive_buffer=None):
    context = ssl.create_default_context(cafile=fw.ca)
    context.load_cert_chain(certificate.pem, certificate.key)
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect(("127.0.0.1", fw.mqtt_port))
    client = Mqtt(context.wrap_socket(sock, server_hostname="localhost"))
    assert client.connect(client_id, clean=clean) == 0
    return client


def post_for(client, topics, payload, qos, count):
    """So many publishes, as fast as the broker takes them all (100 a second)."""
    for number in range(count):
        client.post(topics[number % len(topics)], payload, qos=qos)
        time.sleep(0.011)
    client.ping(timeout=60)


@pytest.mark.parametrize("rate", [5, 0])
def test_h_the_rate_of_a_connection_is_the_operators_choice(make, rate):
    fw = make({"mqtt.max_publishes_per_second": rate})
    client = raw(fw, fw.thing("loud"), "loud")
    client.subscribe("own", qos=0)
    begun = time.monotonic()
    for _ in range(150):
        client.post("own", b"x", qos=0)
    client.ping()
    with contextlib.suppress(TimeoutError, AssertionError):
        client.receive(150, timeout=2)
    taken = len(client.inbox)
    wait_for(lambda: counter(fw, "fleetward_messages_discarded_total") == 150 - taken, 20, "the count of what was not taken")
    assert taken == 150 if rate == 0 else 1 <= taken <= rate * (2 + time.monotonic() - begun)


@pytest.mark.parametrize("qos", [0, 1])
def test_g_what_clients_do_not_read_is_bounded(make, qos):
    """Eight connections that read nothing, 300 messages of 128 KB: 300 MB of copies without a bound in bytes."""
    fw = make()
    certificate = fw.thing("deaf")
    deaf = [raw(fw, certificate, f"deaf-{i}", receive_buffer=4096) for i in range(8)]
    for client in deaf:
        client.subscribe("flood", qos=qos)
    sender = raw(fw, certificate, "sender")
    before = resident_mb(fw.pid("broker"))
    post_for(sender, ["flood"], os.urandom(127 * 1024), qos, 300)
    assert resident_mb(fw.pid("broker")) - before < 8 * 4
    with Reporter(fw, fw.thing("beside"), "beside") as device:
        device.listen("json")
        assert device.ask(report(1))[0] == "accepted"


def test_g_what_waits_for_absent_sessions_is_bounded(make):
    """64 sessions, 10 MB for each of them offered: 1 MB is kept."""
    fw = make()
    certificate = fw.thing("absent")
    count, offered = (64, 80) if LONG else (8, 40)
    for number in range(count):
        client = raw(fw, certificate, f"absent-{number}", clean=False)
        client.subscribe(f"later/{number}", qos=1)
        client.disconnect()
    senders = [raw(fw, certificate, f"sender-{i}") for i in range(4 if LONG else 1)]
    before = resident_mb(fw.pid("broker"))
    for number in range(offered * count // len(senders)):
        for index, sender in enumerate(senders):
            sender.post(f"later/{(number * len(senders) + index) % count}", os.urandom(16) * 8128, qos=1)
        time.sleep(0.011)
    for sender in senders:
        sender.ping(timeout=60)
    grown = resident_mb(fw.pid("broker")) - before
    print(f"{count} sessions, {offered * 127 / 1024:.0f} MB offered to each: broker +{grown:.0f} MB")
    assert grown < count * 1.6 + 16


def storm(fw, certificate, *flags):
    command = [TLS_LOAD, "--port", str(fw.mqtt_port), "--mode", "resumed", "--count", str(NAMES), "--flight", "32",
               "--cert", certificate.pem, "--key", certificate.key, *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=processes.die_with_parent, env=fw.environment(),
                          check=True, timeout=3000)
    return json.loads(done.stdout)


def test_g_one_certificate_and_as_many_of_each_kind_as_it_likes(make):
    """NAMES sessions, client ids and thing names, subscriptions, retained topics, metric names: caps, flat memory, and what is
    refused or dropped is counted."""
    fw = make({"detect.min_duration_seconds": 10, "mqtt.max_publishes_per_second": 0})
    beside = fw.thing("beside")

    def loose():  # of no thing: each client id may be a name
        made = fw.certificate()
        fw.iot.attach_policy(policyName=fw.policy("all", ("Allow", "iot:*", "*")), target=made.arn)
        return made
    certificate, another = loose(), loose()
    broker, server = fw.pid("broker"), fw.pid("server")
    sizes, counts = {"start": (resident_mb(broker), resident_mb(server))}, {}

    def counted(name, more, label=""):
        """How much the counter has grown since it was asked last, once that is at least `more`."""
        key = name + label
        wait_for(lambda: counter(fw, key) - counts.get(key, 0) >= more, 60, f"{more} more of {key}")
        before, counts[key] = counts.get(key, 0), counter(fw, key)
        return int(counts[key] - before)

    def note(what, text):
        sizes[what] = (resident_mb(broker), resident_mb(server))
        print(f"{what}: broker {sizes[what][0]:.0f} MB, server {sizes[what][1]:.0f} MB; {text}", flush=True)

    # Persistent sessions: 64 are kept, the others refused.
    seen = storm(fw, certificate, "--id", "session-%d", "--clean", "0")
    refused = counted("fleetward_refusals_total", seen["failed"], '{reason="LIMIT"}')
    note("sessions", f"{seen['done']} kept, {refused} refused")
    assert seen["done"] <= 64 + 1 and seen["done"] + seen["failed"] == NAMES == seen["done"] + refused
    # Client ids and thing names at once: each connection is another client and reports for another name.
    seen = storm(fw, certificate, "--id", "name-%d", "--report", "$aws/things/name-%d/defender/metrics/json")
    ignored = counted("fleetward_names_ignored_total", seen["done"] - 1000)
    note("client ids and thing names", f"{seen['done']} connected, at most 1000 names kept, {ignored} events of others ignored")
    assert seen["done"] > NAMES * 0.5, seen
    # Subscriptions: 50 of a connection.
    counted("fleetward_refusals_total", 0, '{reason="LIMIT"}')
    hoarder = raw(fw, certificate, "hoarder")
    granted = 0
    for first in range(0, NAMES, 500):
        granted += sum(code < 0x80 for code in hoarder.subscribe(*[f"f/{n}" for n in range(first, min(first + 500, NAMES))]))
    refused = counted("fleetward_refusals_total", NAMES - granted, '{reason="LIMIT"}')
    note("subscriptions", f"{granted} granted, {refused} refused")
    assert granted == 50 and refused == NAMES - 50
    # Retained topics: 256 of a certificate.
    for number in range(NAMES):
        hoarder.post(f"r/{number}", b"x" * 1000, qos=0, retain=True)
        if number % 1000 == 999:
            hoarder.ping(timeout=60)
    hoarder.ping(timeout=60)
    dropped = counted("fleetward_messages_discarded_total", NAMES - 256)

    def listed():
        pages = fw.client("iot-data").get_paginator("list_retained_messages").paginate()
        return sum(topic["topic"].startswith("r/") for page in pages for topic in page["retainedTopics"])
    wait_for(lambda: listed() >= 256, 30, "the list, which follows the broker")
    kept = listed()
    note("retained topics", f"{kept} kept, {dropped} dropped")
    assert kept == 256 and dropped == NAMES - 256
    # Metric names: a hundred in each report of another name of the certificate, none declared.
    for number in range(NAMES // 100):
        with Reporter(fw, another, f"metrics-{number}") as device:
            device.listen("json")
            named = {f"m{number}_{i}": [{"number": i}] for i in range(100)}
            assert device.ask(report(number + 1, custom_metrics=named))[0] == "accepted"
    note("metric names", f"{NAMES // 100} reports of 100 taken")
    shown = fw.run("status", "--data", fw.data, "metrics-0").stdout
    assert 1 <= shown.count("is not declared") <= 16, shown  # the last faults, not all
    with Reporter(fw, beside, "beside") as device:
        device.listen("json")
        assert device.ask(report(1))[0] == "accepted"
    assert {part: fw.living(part) for part in ("broker", "server")} == {"broker": broker, "server": server}
    assert sizes["metric names"][0] - sizes["start"][0] < 100, sizes
    # What is kept of them on disk fills the store's write buffer once.
    assert sizes["metric names"][1] - sizes["start"][1] < 150, sizes
