"""Examples of examples/greengrass. The connector's way (version 1): the agent in a network namespace of its own, the host's /proc mounted read-only,
interval 300 s. It must report the host's sockets, not the namespace's."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest
import yaml

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


# Greengrass version 2: the recipe, read as the nucleus reads it.

# What the component recipe reference of the developer guide allows, and whether it must be there.
STEP = {"Script": True, "RequiresPrivilege": False, "Timeout": False, "Setenv": False, "Skipif": False}
LIFECYCLE = {"Setenv": False, "Bootstrap": False, "Install": False, "Run": False, "Startup": False, "Shutdown": False,
             "Recover": False}
RECIPE = {"RecipeFormatVersion": True, "ComponentName": True, "ComponentVersion": True, "ComponentDescription": False,
          "ComponentPublisher": True, "ComponentConfiguration": False, "ComponentDependencies": False, "Manifests": True,
          "Lifecycle": False}
MANIFEST = {"Name": False, "Platform": False, "Lifecycle": False, "Selections": False, "Artifacts": False}
ARTIFACT = {"URI": True, "Unarchive": False, "Permission": False}


def check(part, allowed, where):
    assert set(part) <= set(allowed), f"{where}: unknown {set(part) - set(allowed)}"
    assert {key for key, needed in allowed.items() if needed} <= set(part), f"{where}: something is missing"


def read_recipe():
    with open(os.path.join(ROOT, "examples", "greengrass", "recipe.yaml")) as file:
        recipe = yaml.safe_load(file)
    check(recipe, RECIPE, "recipe")
    assert recipe["RecipeFormatVersion"] == "2020-01-25"
    assert re.fullmatch(r"\d+\.\d+\.\d+", recipe["ComponentVersion"])
    for dependency in recipe["ComponentDependencies"].values():
        check(dependency, {"VersionRequirement": True, "DependencyType": False}, "dependency")
    for manifest in recipe["Manifests"]:
        check(manifest, MANIFEST, "manifest")
        for artifact in manifest.get("Artifacts", []):
            check(artifact, ARTIFACT, "artifact")
    check(recipe["Lifecycle"], LIFECYCLE, "lifecycle")
    for name, step in recipe["Lifecycle"].items():
        check(step, STEP, name)
    assert not ("Run" in recipe["Lifecycle"] and "Startup" in recipe["Lifecycle"])
    return recipe


def script_of(recipe, step, variables, configuration):
    """The step's script with its variables; numbers of the configuration may have become floats."""
    values = {**recipe["ComponentConfiguration"]["DefaultConfiguration"], **configuration}

    def value(match):
        name = match.group(1)
        if name.startswith("configuration:/"):
            found = values[name.removeprefix("configuration:/")]
            return str(float(found)) if isinstance(found, (int, float)) else found
        return variables[name]
    script = re.sub(r"\{([A-Za-z]+:[^}]*)\}", value, recipe["Lifecycle"][step]["Script"])
    assert not re.search(r"\{[a-z]+:", script), script
    return script


def test_the_recipe_has_a_manifest_for_every_machine_that_the_agent_is_built_for():
    recipe = read_recipe()
    machines = {m["Platform"]["architecture"]: m["Artifacts"][0]["URI"].split("/")[-2] for m in recipe["Manifests"]}
    assert machines == {"amd64": "amd64", "aarch64": "arm64", "arm": "armhf"}
    assert all(m["Artifacts"][0]["URI"].endswith("/fleetward-agent") for m in recipe["Manifests"])


@needs_namespaces
def test_the_recipes_scripts_run_as_the_nucleus_runs_them(network, tmp_path):
    """Install as root, Run as a user without rights in the component's work folder; the core in a namespace of its own."""
    namespace, address = network
    recipe = read_recipe()
    root = tempfile.mkdtemp(prefix="greengrass-", dir="/tmp")  # pytest's folders are closed to other users
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
    agent = None
    try:
        os.chmod(root, 0o755)
        artifacts, work, files = (os.path.join(root, name) for name in ("artifacts", "work", "fleetward"))
        for folder in (artifacts, work, files):
            os.mkdir(folder, 0o700)
        certificate, key = ca.issue("core")
        shutil.copy(BINARY, os.path.join(artifacts, "fleetward-agent"))
        for source, name in ((ca.ca, "ca.pem"), (certificate, "certificate.pem"), (key, "private.key")):
            shutil.copy(source, os.path.join(files, name))
            os.chmod(os.path.join(files, name), 0o600)
        for path in [artifacts, work, files, *(os.path.join(f, n) for f in (artifacts, files) for n in os.listdir(f))]:
            shutil.chown(path, "nobody", "nogroup")
        variables = {"artifacts:path": artifacts, "work:path": work, "iot:thingName": "core", "kernel:rootPath": root}
        settings = {"Endpoint": address, "Port": str(broker.port), "Folder": files}
        assert recipe["Lifecycle"]["Install"]["RequiresPrivilege"] and "RequiresPrivilege" not in recipe["Lifecycle"]["Run"]
        install = script_of(recipe, "Install", variables, settings)
        assert subprocess.run(["sh", "-c", install], cwd=work, timeout=600).returncode == 0
        run = script_of(recipe, "Run", variables, settings)
        agent = subprocess.Popen(["ip", "netns", "exec", namespace, "setpriv", "--reuid=nobody", "--regid=nogroup",
                                  "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin", f"HOME={root}", "sh", "-c", run],
                                 cwd=work, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: service.seen() or agent.poll() is not None, 30, what="a report")
        assert service.reports, agent.communicate()[1]
        assert service.reports[0][0] == "$aws/things/core/defender/metrics/json"
        agent.terminate()  # as the nucleus ends a component without Shutdown
        assert agent.wait(10) == 0
    finally:
        if agent:
            agent.kill()
            agent.wait()
        service.stop()
        broker.stop()
        shutil.rmtree(root)
