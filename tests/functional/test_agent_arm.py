"""The agent for other machines, cross-built and run under qemu-user against a real broker. With FLEETWARD_LONG_TESTS=1;
needs Debian's qemu-user-static, which nothing else here does. qemu-user has no NETLINK_SOCK_DIAG: the agent takes /proc."""
import json
import os
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.paths import ROOT  # noqa: E402
from support.plain_broker import Agent, PlainBroker, StandInService, TestCa, wait_for  # noqa: E402

MACHINES = {"arm64": ("qemu-aarch64-static", "aarch64-linux-gnu"), "armhf": ("qemu-arm-static",
            "arm-linux-gnueabihf")}

pytestmark = [
    pytest.mark.skipif(not os.environ.get("FLEETWARD_LONG_TESTS"), reason="FLEETWARD_LONG_TESTS=1 builds and runs it"),
    pytest.mark.skipif(not shutil.which("qemu-aarch64-static"), reason="apt-get install qemu-user-static"),
]


@pytest.fixture(params=MACHINES)
def program(request, tmp_path):
    """A script that runs the agent built for another machine."""
    qemu, triplet = MACHINES[request.param]
    subprocess.run([f"{ROOT}/scripts/build", "agent", request.param], check=True, capture_output=True, timeout=900)
    binary = f"{ROOT}/build/agent-{request.param}/bin/fleetward-agent"
    with open(binary, "rb") as file:
        machine = int.from_bytes(file.read(20)[18:20], "little")
    assert machine == {"arm64": 183, "armhf": 40}[request.param]
    system = os.path.realpath(f"{ROOT}/.deps/cross-{request.param}/system")
    path = tmp_path / "run-agent"
    path.write_text(f'#!/bin/sh\nexec {qemu} -L {system}/usr/{triplet} -E LD_LIBRARY_PATH={system}/usr/lib/{triplet} '
                    f'{binary} "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_a_dry_run_prints_reports(program):
    out = subprocess.run([program, "-d", "--count", "2", "-i", "1", "-cm"], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    first, second = [json.loads(line) for line in out.stdout.splitlines()]
    assert "network_stats" not in first["metrics"]
    assert second["metrics"]["listening_tcp_ports"]["total"] >= 0
    assert 0 <= second["custom_metrics"]["cpu_usage"][0]["number"] <= 100


def test_reports_are_sent_answered_and_spooled(program, tmp_path):
    broker = PlainBroker(tmp_path, TestCa(tmp_path))
    service = StandInService(broker)
    folder = tmp_path / "agent"
    folder.mkdir()
    agent = Agent(program, broker, folder, "-i", "1", "-f", "cbor", "--set", "reconnect.max_seconds=1", "--set",
                  "answer_timeout_seconds=2")
    try:
        wait_for(lambda: len(service.seen()) >= 2, 30, what="reports")
        ports = [p["port"] for p in service.seen()[-1]["metrics"]["listening_tcp_ports"]["ports"]]
        assert broker.port in ports
        wait_for(lambda: "agent.report_accepted" in agent.text(), what="the answer")
        service.stop()
        broker.stop()
        wait_for(agent.spooled, 30, what="a spooled report")
        broker.start()
        service = StandInService(broker)
        wait_for(lambda: any("spooled_at" in r["header"] for r in service.seen()), 30, what="spooled reports")
        wait_for(lambda: not agent.spooled(), 30, what="an empty spool")
        agent.stop()
    finally:
        agent.kill()
        service.stop()
        broker.stop()
