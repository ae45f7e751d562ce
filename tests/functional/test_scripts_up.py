"""Story 1: scripts/up --demo, from its first line to Ctrl-C. It builds into build/release: run with that build alone."""
import os
import re
import signal
import subprocess
import time

import pytest

from support.fleetward import clean_environment
from support.paths import BUILD, FLEETWARD, ROOT
from support.processes import free_port, wait_for

pytestmark = pytest.mark.skipif(os.path.realpath(BUILD) != os.path.realpath(os.path.join(ROOT, "build", "release")),
                                reason="scripts/up uses build/release")


def processes_of(data):
    """Whoever names the data folder, or the devices' beside it, on its command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(data) in line and int(pid) != os.getpid():
            found.append((pid, line))
    return found


def test_demo_from_start_to_ctrl_c(tmp_path):
    os.chmod(tmp_path, 0o755)
    data = tmp_path / "demo"
    out = tmp_path / "screen"
    command = [os.path.join(ROOT, "scripts", "up"), "--demo", "--data", str(data)]
    for key in ("api.listen", "mqtt.listen", "metrics.listen"):
        command += ["--set", f"{key}=127.0.0.1:{free_port()}"]
    with open(out, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env=clean_environment(), start_new_session=True)

    def screen():
        return out.read_text(errors="replace")

    def run(*arguments):
        return subprocess.run([FLEETWARD, *arguments, "--data", str(data)], capture_output=True, text=True,
                              timeout=30, check=True).stdout
    try:
        wait_for(lambda: "serving   yes" in screen(), 240, "serving", every=0.5)
        begun = time.monotonic()
        wait_for(lambda: "Ctrl-C stops everything." in screen(), 60, "what to do next", every=0.2)
        for word in ("API ", "ca.pem", "credentials (profile fleetward)", "Three commands worth trying"):
            assert word in screen()
        thing = re.search(r"this Thing +(\S+),", screen())[1]
        # This machine's own sockets and counters, as real reports within seconds.
        wait_for(lambda: re.search(r"last report +2\d\d\d-", run("status", thing)), 30, "this machine's report", every=0.5)
        wait_for(lambda: re.search(r"in alarm\n +demo-001\t", screen()), 120, "the first violation", every=0.5)
        wait_for(lambda: "demo-001" in run("mail"), 30, "its mail", every=0.5)
        assert time.monotonic() - begun < 120
        assert "31337" in run("why", "demo-001")
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert "Stopped. The data stays in" in screen()
        assert processes_of(tmp_path) == []
    except BaseException:
        print(screen())
        raise
    finally:
        for pid, _ in processes_of(tmp_path):
            os.kill(int(pid), signal.SIGKILL)
