"""scripts/bootstrap in a Debian that has git and nothing else (debootstrap, chroot): what it installs, says and leaves behind. With
FLEETWARD_LONG_TESTS=1, as root, with Debian's mirror in reach."""
import os
import re
import shutil
import subprocess

import pytest

from support.paths import ROOT

pytestmark = [
    pytest.mark.skipif(not os.environ.get("FLEETWARD_LONG_TESTS"), reason="FLEETWARD_LONG_TESTS=1 installs it"),
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("debootstrap"), reason="needs root and debootstrap"),
]
MIRROR = os.environ.get("FLEETWARD_DEBIAN_MIRROR", "http://deb.debian.org/debian")


def living_below(root):
    """Processes whose root folder it is."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/root") == str(root):
                found.append(open(f"/proc/{pid}/cmdline").read())
        except OSError:
            continue
    return found


@pytest.fixture
def fresh(tmp_path):
    """The root folder of a Debian with git and a clone of this tree."""
    root = tmp_path / "debian"
    subprocess.run(["debootstrap", "--variant=minbase", "--include=git,ca-certificates", "bookworm", root, MIRROR], check=True,
                   capture_output=True, timeout=1800)
    subprocess.run(["git", "clone", "-q", ROOT, root / "fleetward"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    yield root
    subprocess.run(["umount", "-l", root / "proc"], check=False)


def bootstrap(root):
    done = subprocess.run(["chroot", root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "/fleetward/scripts/bootstrap"],
                          text=True, capture_output=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_bootstrap_installs_what_is_missing_and_starts_nothing(fresh):
    said = bootstrap(fresh)
    assert re.search(r"^\[bootstrap +\d+s\] installing \d+ packages: ", said, re.M) and said.strip().endswith("done")
    for program in ("usr/bin/cmake", "usr/bin/ninja", "usr/sbin/mosquitto", "usr/bin/aws"):
        assert (fresh / program).exists(), program
    # D37: no service that was installed runs, and what kept them from it is gone.
    assert living_below(fresh) == []
    assert not (fresh / "usr/sbin/policy-rc.d").exists()
    assert "fleetward:" in (fresh / "etc/passwd").read_text()
    again = bootstrap(fresh)
    assert "installing" not in again and "reading the package lists" not in again
