"""The systemd units give no more rights than the pages say."""
from repository import read


def settings(path):
    found = {}
    for line in read(path).splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_j_the_agents_unit_gives_no_rights():
    unit = settings("packaging/systemd/fleetward-agent.service")
    assert unit["User"] == ["fleetward-agent"]
    assert unit["CapabilityBoundingSet"] == [""] and unit["AmbientCapabilities"] == [""]
    assert unit["NoNewPrivileges"] == ["yes"] and unit["ProtectSystem"] == ["strict"] and unit["UMask"] == ["0077"]
    assert unit["StateDirectoryMode"] == ["0700"] and unit["MemoryMax"] == ["64M"]


def test_the_servers_unit_may_only_take_low_ports():
    unit = settings("packaging/systemd/fleetward.service")
    assert unit["User"] == ["fleetward"]
    assert unit["CapabilityBoundingSet"] == ["CAP_NET_BIND_SERVICE"] == unit["AmbientCapabilities"]
    assert unit["NoNewPrivileges"] == ["yes"] and unit["ProtectSystem"] == ["strict"]
