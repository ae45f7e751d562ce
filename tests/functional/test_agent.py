"""fleetward-agent against a stock Mosquitto over mutual TLS; the service is played by the test."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.plain_broker import Agent, PlainBroker, StandInService, TestCa, wait_for  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("FLEETWARD_BUILD", os.path.join(ROOT, "build", "release"))
BINARY = os.path.join(BUILD, "bin", "fleetward-agent")


@pytest.fixture
def broker(tmp_path):
    broker = PlainBroker(tmp_path, TestCa(tmp_path))
    yield broker
    broker.stop()


@pytest.fixture
def service(broker):
    service = StandInService(broker)
    yield service
    service.stop()


@pytest.fixture
def start(broker, tmp_path):
    agents = []

    def start(*flags, **keywords):
        folder = tmp_path / f"agent{len(agents)}"
        folder.mkdir()
        agents.append(Agent(BINARY, broker, folder, *flags, **keywords))
        return agents[-1]
    yield start
    for agent in agents:
        agent.kill()


@pytest.mark.parametrize("form", ["json", "cbor"])
@pytest.mark.parametrize("short", [False, True])
def test_reports_arrive_in_every_form(service, start, form, short):
    agent = start("-f", form, "-i", "1", "-cm", *(["-s"] if short else []))
    # A report after a change of interfaces (another test's) has no counters: the agent never guesses.
    counted = lambda: [r for r in service.seen()[1:] if {"network_stats", "ns"} & r[("met" if short else "metrics")].keys()]
    wait_for(counted, what="a later report with counters")
    topic, first, _ = service.reports[0]
    second = counted()[0]
    assert topic == f"$aws/things/sensor-7/defender/metrics/{form}"
    names = {"header": "hed", "report_id": "rid", "version": "v", "metrics": "met", "network_stats": "ns",
             "bytes_in": "bi", "listening_tcp_ports": "tp", "ports": "pts", "port": "pt", "total": "t",
             "tcp_connections": "tc", "established_connections": "ec", "custom_metrics": "cmet"}
    n = (lambda name: names[name]) if short else (lambda name: name)
    assert first[n("header")][n("version")] == "1.0"
    assert "network_stats" not in first[n("metrics")] and "ns" not in first[n("metrics")]
    assert second[n("header")][n("report_id")] > first[n("header")][n("report_id")]
    assert second[n("metrics")][n("network_stats")][n("bytes_in")] > 0
    assert 0 <= second[n("custom_metrics")]["cpu_usage"][0]["number"] <= 100
    ports = [entry[n("port")] for entry in second[n("metrics")][n("listening_tcp_ports")][n("ports")]]
    assert service.client.socket().getpeername()[1] in ports
    assert second[n("metrics")][n("tcp_connections")][n("established_connections")][n("total")] >= 4
    wait_for(lambda: "agent.report_accepted" in agent.text(), what="the answer")
    agent.stop()
    assert not agent.spooled()


def test_listening_udp_means_bound_and_unconnected(service, start):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connected:
        bound.bind(("127.0.0.1", 0))
        connected.connect(("127.0.0.1", 9))
        start()
        report = wait_for(service.seen, what="a report")[0]
        ports = [entry["port"] for entry in report["metrics"]["listening_udp_ports"]["ports"]]
        assert bound.getsockname()[1] in ports
        assert connected.getsockname()[1] not in ports


def test_broker_cut_fills_the_spool_and_its_return_empties_it(broker, service, start):
    agent = start("-i", "1", "--set", "reconnect.max_seconds=1", "--set", "answer_timeout_seconds=2")
    wait_for(lambda: len(service.seen()) >= 2, what="reports")
    service.stop()
    broker.stop()
    wait_for(lambda: len(agent.spooled()) >= 3, what="three spooled reports")
    before = len(service.reports)
    broker.start()
    again = StandInService(broker)
    wait_for(lambda: sum("spooled_at" in r["header"] for r in again.seen()) >= 3, what="spooled reports")
    wait_for(lambda: "spooled_at" not in again.seen()[-1]["header"] or not agent.spooled(), what="an empty spool")
    wait_for(lambda: not agent.spooled(), what="an empty spool")
    for report in again.seen():
        if "spooled_at" in report["header"]:
            assert abs(report["header"]["spooled_at"] - report["header"]["report_id"]) <= 2
    ids = [r["header"]["report_id"] for r in service.seen()[:before] + again.seen()]
    # Nothing is missing between the first and the last report, though a report may come twice.
    assert set(range(min(ids), max(ids) + 1)) == set(ids)
    again.stop()
    agent.stop()


def test_spool_survives_sigkill_of_the_agent(broker, service, start):
    agent = start("-i", "1", "--set", "reconnect.max_seconds=1", "--set", "answer_timeout_seconds=2")
    wait_for(service.seen, what="a report")
    service.stop()
    broker.stop()
    wait_for(lambda: len(agent.spooled()) >= 2, what="spooled reports")
    agent.kill()
    kept = len(agent.spooled())
    assert kept >= 2
    broker.start()
    again = StandInService(broker)
    agent.start()
    wait_for(lambda: sum("spooled_at" in r["header"] for r in again.seen()) >= kept, what="spooled reports")
    again.stop()
    agent.stop()


def test_an_unanswered_report_is_kept_and_a_spooled_one_goes_only_on_accepted(broker, start):
    silent = StandInService(broker, answer=lambda topic, report: None)
    agent = start("-i", "600", "--set", "answer_timeout_seconds=1")
    wait_for(lambda: len(agent.spooled()) == 1, what="the spooled report")
    wait_for(lambda: len(silent.seen()) >= 2, what="the replay", seconds=30)
    assert "spooled_at" in silent.seen()[1]["header"]
    assert len(agent.spooled()) == 1
    silent.answer = lambda topic, report: "accepted"
    wait_for(lambda: not agent.spooled(), what="an empty spool", seconds=40)
    silent.stop()
    agent.stop()


def test_a_throttled_report_is_put_off_and_its_deltas_are_not_lost(broker, start):
    verdicts = iter(["accepted", "Throttled"])
    service = StandInService(broker, answer=lambda topic, report: next(verdicts, "accepted"))
    agent = start("-i", "2", "--set", "collector=replay", "--set", "replay_file=" + str(os.path.join(
        ROOT, "tests", "data", "agent", "growing_counters.samples")))
    wait_for(lambda: len(service.seen()) >= 3, what="three reports")
    refused, later = [r["metrics"]["network_stats"]["bytes_out"] for r in service.seen()[1:3]]
    assert refused == 100 and later == 300  # 100 that were refused and 200 since
    gap = service.seen()[2]["header"]["report_id"] - service.seen()[1]["header"]["report_id"]
    assert gap >= 3
    assert "code=Throttled" in agent.text()
    service.stop()
    agent.stop()


def test_custom_metrics_story(service, start, tmp_path):
    app = tmp_path / "myapp"
    shutil.copy("/bin/sh", app)
    config = '[[custom_metric]]\nname = "num_child_procs_myapp"\nchild_processes_of = "myapp"\n'
    start("-i", "1", config=config)

    def children():
        return service.seen() and service.seen()[-1]["custom_metrics"]["num_child_procs_myapp"][0]["number"]
    wait_for(lambda: service.seen() and children() == 0, what="no children")
    process = subprocess.Popen([app], stdin=subprocess.PIPE)
    try:
        process.stdin.write(b"(sleep 60; true) & sleep 60 & wait\n")
        process.stdin.flush()
        wait_for(lambda: children() == 3, what="a subshell, its sleep, and a sleep")
    finally:
        subprocess.run(["pkill", "-P", str(process.pid)], check=False)
        process.kill()
        process.wait()


def test_foreign_ca_and_unknown_name_are_refused(broker, service, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    foreign = TestCa(other)
    certificate, key = broker.ca.issue("x")
    log = open(tmp_path / "log", "w+")
    agent = subprocess.Popen([BINARY, "-e", "localhost", "-p", str(broker.port), "-r", foreign.ca, "-c", certificate,
                              "-k", key, "-id", "x", "--set", f"spool.directory={other}"], stderr=log)
    try:
        wait_for(lambda: "agent.reconnect_in" in open(tmp_path / "log").read(), what="a refusal")
        assert not service.seen()
    finally:
        agent.terminate()
        assert agent.wait(10) == 0


def test_stays_small_while_connected(service, start):
    agent = start("-i", "1", "-cm")
    wait_for(lambda: len(service.seen()) >= 3, what="three reports")
    status = open(f"/proc/{agent.process.pid}/status").read()
    resident = int(status.split("VmRSS:")[1].split()[0])
    print(f"resident {resident} kB")
    if "asan" not in BUILD and "tsan" not in BUILD:
        assert resident <= 8 * 1024
    agent.stop()


@pytest.mark.skipif("release" not in BUILD and "agent" not in os.path.basename(BUILD), reason="size of release builds")
def test_binary_is_small_and_needs_few_libraries(tmp_path):
    stripped = tmp_path / "stripped"
    subprocess.run(["strip", "-o", stripped, BINARY], check=True)
    assert stripped.stat().st_size <= 1_300_000
    needed = subprocess.run(["objdump", "-p", BINARY], check=True, capture_output=True, text=True).stdout
    libraries = {line.split()[1].split(".so")[0] for line in needed.splitlines() if "NEEDED" in line}
    assert libraries <= {"libc", "libm", "libmosquitto", "libssl", "libcrypto", "ld-linux-x86-64", "libgcc_s"} - {"libgcc_s"}


def test_dry_run_prints_json_and_needs_no_broker(tmp_path):
    out = subprocess.run([BINARY, "-d", "-f", "cbor", "-cm", "-i", "1", "--count", "2"], cwd=tmp_path, check=True,
                         capture_output=True, text=True).stdout.splitlines()
    assert len(out) == 2
    assert "network_stats" in json.loads(out[1])["metrics"]
    import cbor2
    assert cbor2.loads((tmp_path / "cbor_metrics").read_bytes()) == json.loads(out[1])


NO_NETLINK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
int socket(int family, int type, int protocol) {
  if (family == AF_NETLINK) return errno = EAFNOSUPPORT, -1;
  return ((int (*)(int, int, int))dlsym(RTLD_NEXT, "socket"))(family, type, protocol);
}
"""


@pytest.mark.skipif("asan" in BUILD or "tsan" in BUILD, reason="sanitizers want to be loaded first")
def test_without_netlink_it_reads_proc(tmp_path):
    """In a sandbox that knows no NETLINK_SOCK_DIAG."""
    subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-", "-o", tmp_path / "shim.so", "-ldl"], input=NO_NETLINK, text=True,
                   check=True)

    def run(*flags):
        return subprocess.run([BINARY, "-d", "-i", "1", "--count", "2", *flags], capture_output=True, text=True,
                              env={**os.environ, "LD_PRELOAD": str(tmp_path / "shim.so")})
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()), \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        done = run()
        assert done.returncode == 0 and "agent.netlink_unavailable" in done.stderr
        metrics = json.loads(done.stdout.splitlines()[1])["metrics"]
        assert listener.getsockname()[1] in [p["port"] for p in metrics["listening_tcp_ports"]["ports"]]
        assert udp.getsockname()[1] in [p["port"] for p in metrics["listening_udp_ports"]["ports"]]
        assert metrics["tcp_connections"]["established_connections"]["total"] >= 2
        assert metrics["network_stats"]["bytes_in"] >= 0
    assert run("--set", "collector=netlink").returncode != 0  # the shim does what it should


def test_arguments_from_a_file_and_bad_ones(tmp_path):
    arguments = tmp_path / "arguments"
    arguments.write_text("-d\n--short_tags\n")
    out = subprocess.run([BINARY, f"@{arguments}"], check=True, capture_output=True, text=True).stdout
    assert "hed" in json.loads(out)
    for bad in (["-f", "xml", "-d"], ["-i", "0", "-d"], ["-q"], [], ["-d", "extra"], ["-d", "--config", "/nonexistent"]):
        result = subprocess.run([BINARY, *bad], capture_output=True, text=True)
        assert result.returncode == 2 and "fleetward-agent:" in result.stderr, bad


def test_commands_from_a_file_that_others_can_change_are_refused(tmp_path):
    config = tmp_path / "agent.toml"
    config.write_text('[[custom_metric]]\nname = "x"\ncommand = ["/bin/echo", "1"]\n')
    config.chmod(0o666)
    result = subprocess.run([BINARY, "-d", "--config", config], capture_output=True, text=True)
    assert result.returncode == 2 and "can be changed by others" in result.stderr
    config.chmod(0o644)
    out = subprocess.run([BINARY, "-d", "--config", config], check=True, capture_output=True, text=True).stdout
    assert json.loads(out)["custom_metrics"]["x"] == [{"number": 1}]


def test_sigterm_ends_cleanly_and_soon(start, service):
    agent = start("-i", "300")
    wait_for(service.seen, what="a report")
    began = time.monotonic()
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(5) == 0
    assert time.monotonic() - began < 3
