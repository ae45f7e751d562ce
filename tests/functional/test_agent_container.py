"""The Greengrass connector's way: the agent in a network namespace of its own, the host's /proc mounted read-only,
interval 300 s. It must report the host's sockets, not the namespace's."""
import json
import os
import socket
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.plain_broker import PlainBroker, StandInService, TestCa, wait_for  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("FLEETWARD_BUILD", os.path.join(ROOT, "build", "release"))
BINARY = os.path.join(BUILD, "bin", "fleetward-agent")
ENTER = 'mount --rbind /proc "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def may(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


needs_namespaces = pytest.mark.skipif(not may("unshare", "-n", "-m", "true"), reason="namespaces are not allowed here")


def listener():
    server = socket.create_server(("127.0.0.1", 0))
    return server, server.getsockname()[1]


@needs_namespaces
def test_reads_the_hosts_sockets_from_a_mounted_proc(tmp_path):
    proc = tmp_path / "host_proc"
    proc.mkdir()
    server, port = listener()
    with server:
        def ports(*flags):
            out = subprocess.run(["unshare", "-n", "-m", "sh", "-c", ENTER, proc, BINARY, "-d", *flags], check=True,
                                 capture_output=True, text=True).stdout
            return [p["port"] for p in json.loads(out)["metrics"]["listening_tcp_ports"]["ports"]]
        assert port in ports("--proc", proc)
        assert ports() == [], "without --proc the namespace's own, which are none"


@pytest.fixture
def network(request):
    """A namespace with a veth pair to the host. Yields (namespace, host's address)."""
    tag = f"{os.getpid() % 10000:04d}"
    name, host, inside = f"fleetward{tag}", f"fwh{tag}", f"fwn{tag}"
    third = os.getpid() % 250
    if not may("ip", "netns", "add", name):
        pytest.skip("ip netns is not allowed here")
    try:
        if not may("ip", "link", "add", host, "type", "veth", "peer", "name", inside, "netns", name):
            pytest.skip("veth is not allowed here")
        for command in (f"ip addr add 10.213.{third}.1/24 dev {host}", f"ip link set {host} up",
                        f"ip -n {name} addr add 10.213.{third}.2/24 dev {inside}", f"ip -n {name} link set {inside} up",
                        f"ip -n {name} link set lo up"):
            subprocess.run(command.split(), check=True)
        yield name, f"10.213.{third}.1"
    finally:
        may("ip", "link", "del", host)
        may("ip", "netns", "del", name)


@needs_namespaces
def test_reports_over_mqtt_from_a_namespace_of_its_own(network, tmp_path):
    namespace, address = network
    ca = TestCa(tmp_path)
    ca.issue("broker", f"subjectAltName=DNS:localhost,IP:127.0.0.1,IP:{address}")
    broker = PlainBroker(tmp_path, ca)
    broker.stop()
    with open(broker.conf) as file:
        conf = file.read().replace(" 127.0.0.1\n", " 0.0.0.0\n", 1)
    with open(broker.conf, "w") as file:
        file.write(conf)
    broker.start()
    service = StandInService(broker)
    proc = tmp_path / "host_proc"
    proc.mkdir()
    certificate, key = ca.issue("core")
    server, port = listener()
    agent = subprocess.Popen(["ip", "netns", "exec", namespace, "unshare", "-m", "sh", "-c", ENTER, proc, BINARY,
                              "--proc", proc, "-i", "300", "-e", address, "-p", str(broker.port), "-r", ca.ca, "-c",
                              certificate, "-k", key, "-id", "core", "--set", f"spool.directory={tmp_path}/state"])
    try:
        report = wait_for(service.seen, what="a report")[0]
        metrics = report["metrics"]
        assert port in [p["port"] for p in metrics["listening_tcp_ports"]["ports"]]
        assert broker.port in [p["port"] for p in metrics["listening_tcp_ports"]["ports"]]
        assert metrics["tcp_connections"]["established_connections"]["total"] >= 2
        agent.terminate()
        assert agent.wait(10) == 0
    finally:
        agent.kill()
        server.close()
        service.stop()
        broker.stop()
