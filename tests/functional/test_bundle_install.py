"""A bundle of `fleetward provision` installed in a fresh Debian of its own (debootstrap, chroot), for this machine's kind
and for others as far as the kernel runs their programs (qemu-user-static's binfmt entries). With FLEETWARD_LONG_TESTS=1, as
root, with Debian's mirror in reach. systemd does not run in a chroot: the agent is started by hand, as install.sh says."""
import os
import platform
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.paths import ROOT  # noqa: E402
from support.processes import wait_for  # noqa: E402

pytestmark = [
    pytest.mark.skipif(not os.environ.get("FLEETWARD_LONG_TESTS"), reason="FLEETWARD_LONG_TESTS=1 installs it"),
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("debootstrap"), reason="needs root and debootstrap"),
]
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "armhf": "arm"}
MIRROR = os.environ.get("FLEETWARD_DEBIAN_MIRROR", "http://deb.debian.org/debian")


def runs(arch):
    """Whether the kernel starts programs of this kind."""
    if platform.machine() == MACHINES[arch]:
        return True
    folder = "/proc/sys/fs/binfmt_misc"
    return os.path.isdir(folder) and any(name.endswith(MACHINES[arch]) for name in os.listdir(folder))


@pytest.fixture(params=MACHINES)
def device(request, tmp_path):
    """(architecture, root folder of a fresh Debian)"""
    if not runs(request.param):
        pytest.skip(f"this kernel does not run programs of {request.param}: apt-get install qemu-user-static")
    root = tmp_path / "device"
    subprocess.run(["debootstrap", f"--arch={request.param}", "--variant=minbase", "bookworm", root, MIRROR], check=True,
                   capture_output=True, timeout=1800)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")  # debootstrap leaves none
    return request.param, root


def inside(root, *command, check=True):
    done = subprocess.run(["chroot", root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command], text=True,
                          capture_output=True, timeout=600)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_bundle_installs_and_reports(make, device, tmp_path):
    arch, root = device
    if arch != "amd64":
        subprocess.run([f"{ROOT}/scripts/build", "agent", arch], check=True, capture_output=True, timeout=900)
    fw = make()  # serves on 127.0.0.1, which a chroot shares
    bundle = tmp_path / "pump-1.tar.gz"
    fw.run("provision", "pump-1", "--data", fw.data, "--out", str(tmp_path / "out"), "--bundle", str(bundle), "--arch", arch)
    shutil.copy(bundle, root / "srv")
    inside(root, "tar", "-C", "/srv", "-xzf", "/srv/pump-1.tar.gz")
    # What is missing is named, and nothing is half installed.
    early = inside(root, "/srv/fleetward-agent/install.sh", check=False)
    assert early.returncode == 1 and "apt-get install libmosquitto1" in early.stderr
    assert not (root / "etc/fleetward-agent").exists()
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    inside(root, "sh", "-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends libmosquitto1")
    for _ in range(2):  # the second time is an update
        done = inside(root, "/srv/fleetward-agent/install.sh")
        assert "fleetward-agent --config /etc/fleetward-agent/agent.toml" in done.stdout
    listing = inside(root, "stat", "-c", "%U:%G %a", "/etc/fleetward-agent", "/etc/fleetward-agent/private.key",
                     "/etc/fleetward-agent/agent.toml", "/usr/bin/fleetward-agent").stdout.splitlines()
    assert listing == ["root:fleetward-agent 750", "root:fleetward-agent 640", "root:fleetward-agent 640", "root:root 755"]
    assert (root / "etc/systemd/system/fleetward-agent.service").exists()
    # As the unit would: its user, its state folder.
    inside(root, "install", "-d", "-m", "700", "-o", "fleetward-agent", "/var/lib/fleetward-agent")
    (root / "proc").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    log = tmp_path / "agent.log"
    with open(log, "wb") as output:
        agent = subprocess.Popen(["chroot", root, "setpriv", "--reuid=fleetward-agent", "--regid=fleetward-agent",
                                  "--clear-groups", "env", "-i", "PATH=/usr/bin", "STATE_DIRECTORY=/var/lib/fleetward-agent",
                                  "/usr/bin/fleetward-agent", "--config", "/etc/fleetward-agent/agent.toml"],
                                 stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: "agent.report_accepted" in log.read_text() or agent.poll() is not None, 60, log.read_text)
        assert agent.poll() is None, log.read_text()
        agent.terminate()
        assert agent.wait(20) == 0, log.read_text()
    finally:
        agent.kill()
        agent.wait()
        subprocess.run(["umount", root / "proc"], check=True)
