"""`fleetward up` and the command line: files, identity, refusals, ends."""
import configparser
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import tarfile
import tempfile
import time
import urllib.request
from types import SimpleNamespace

import boto3
import pytest

from support.device import Device, Reporter, report
from support.fleetward import Fleetward, clean_environment, mode
from support.network import enter_private_network
from support.paths import BUILD, FLEETWARD, ROOT
from support.processes import alive, free_port, listeners, wait_for


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared()


def names_of(port, ca):
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", port), 5) as raw, context.wrap_socket(raw) as tls:
        return {value for _, value in tls.getpeercert()["subjectAltName"]}


def test_endpoint_json_says_how_to_reach_everything(fw):
    endpoint = fw.endpoint
    assert set(endpoint) == {"api", "mqtt_host", "mqtt_port", "ca"}
    assert endpoint["api"] == f"https://127.0.0.1:{fw.api_port}"
    assert endpoint["mqtt_port"] == fw.mqtt_port and isinstance(endpoint["mqtt_port"], int)
    assert os.path.isabs(endpoint["ca"]) and os.path.samefile(endpoint["ca"], fw.ca)
    # One CA file verifies both; the names are the promised ones.
    names = names_of(fw.api_port, endpoint["ca"])
    assert {"localhost", "127.0.0.1", socket.gethostname()} <= names
    assert names & {"::1", "0:0:0:0:0:0:0:1"}
    with socket.create_connection((endpoint["mqtt_host"], endpoint["mqtt_port"]), 5) as raw:
        context = ssl.create_default_context(cafile=endpoint["ca"])
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):  # a client certificate is demanded; the server's own is good
            context.wrap_socket(raw, server_hostname=endpoint["mqtt_host"]).recv(1)


def test_credentials_are_an_aws_file_of_mode_0600(fw):
    assert mode(fw.credentials_file) == 0o600
    parser = configparser.ConfigParser()
    parser.read(fw.credentials_file)
    assert parser.sections() == ["fleetward"]
    assert parser["fleetward"]["aws_access_key_id"] and len(parser["fleetward"]["aws_secret_access_key"]) >= 30
    for folder, _, names in os.walk(fw.data):
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".key") or "secret" in name or name == "credentials":
                assert mode(path) & 0o077 == 0, path
    secret = parser["fleetward"]["aws_secret_access_key"]
    assert secret not in fw.log()
    for folder, _, names in os.walk(fw.data):
        for name in names:
            if name == "credentials":
                continue
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    assert secret.encode() not in file.read(), name
            except OSError:
                pass  # a socket


def test_pid_files_name_living_processes(fw):
    pids = {part: fw.pid(part) for part in ("supervisor", "server", "broker")}
    assert len(set(pids.values())) == 3 and all(alive(pid) for pid in pids.values())
    assert pids["supervisor"] == fw.process.pid
    assert listeners(fw.mqtt_port) == {pids["broker"]}
    assert listeners(fw.api_port) == {pids["server"]}
    for part in pids:
        with open(os.path.join(fw.data, f"{part}.pid")) as file:
            assert file.read().strip() == str(pids[part])
    with open(f"/proc/{pids['supervisor']}/status") as file:
        assert re.search(r"^Threads:\s*1$", file.read(), re.M)  # D17
    if os.geteuid() == 0:  # D34: server and broker are not root
        for part in ("server", "broker"):
            assert os.stat(f"/proc/{pids[part]}").st_uid != 0, part


def test_the_broker_has_its_own_allocator(fw):
    with open(f"/proc/{fw.pid('broker')}/maps") as maps:
        assert "libtcmalloc_minimal" in maps.read()


def test_the_account_is_empty(fw):
    assert fw.aws("iot", "list-things")["things"] == []
    assert fw.aws("iot", "list-security-profiles")["securityProfileIdentifiers"] == []
    assert fw.aws("sns", "list-topics").get("Topics", []) == []


def test_a_second_up_is_refused_and_names_the_first(fw):
    second = subprocess.run(fw.arguments(), capture_output=True, text=True, timeout=20, env=fw.environment())
    assert second.returncode not in (0, None)
    assert str(fw.pid("supervisor")) in second.stderr
    # The first goes on, its files untouched.
    assert fw.iot.list_things()["things"] == []
    assert fw.endpoint["mqtt_port"] == fw.mqtt_port
    assert fw.pid("supervisor") == fw.process.pid


@pytest.mark.parametrize("setting", ["api.listen", "mqtt.listen", "metrics.listen"])
def test_a_port_in_use_names_the_process_and_the_setting(tmp_path, setting):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        fw = Fleetward(tmp_path, {setting: f"127.0.0.1:{port}"}, start=False)
        try:
            fw.launch()
            assert fw.process.wait(20) != 0
            assert f"--set {setting}=" in fw.log(), fw.log()
            assert str(os.getpid()) in fw.log() and "python" in fw.log()
            assert not fw.brokers()
        finally:
            fw.end()


def test_restart_keeps_identity_credentials_and_what_was_configured(make):
    fw = make()
    certificate = fw.thing("MyDevice")
    before = {name: open(os.path.join(fw.data, name), "rb").read() for name in ("ca.pem", "credentials")}
    described = fw.iot.describe_thing(thingName="MyDevice")
    fw.stop()
    assert not os.path.exists(os.path.join(fw.data, "server.pid"))
    fw.start()
    assert before == {name: open(os.path.join(fw.data, name), "rb").read() for name in before}
    after = fw.iot.describe_thing(thingName="MyDevice")
    assert after["thingId"] == described["thingId"] and after["version"] == described["version"]
    with Reporter(fw, certificate, "MyDevice") as device:
        device.listen("json")
        assert device.ask(report(1))[0] == "accepted"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_within_5_s_with_devices_connected(make, number):
    fw = make()
    certificate = fw.thing("MyDevice")
    devices = [Reporter(fw, certificate, f"device-{i}") for i in range(5)]
    with socket.create_connection(("127.0.0.1", fw.api_port)):  # an idle connection to the API holds nothing up
        fw.stop(number)
    for device in devices:
        device.wait_closed()
        device.close()
    for name in ("supervisor", "server", "broker"):
        assert fw.living(name) is None
    # The folder may be removed then.
    subprocess.run(["rm", "-r", fw.data], check=True)


def test_a_folder_below_a_0700_parent(make):
    """As root the children run as another user, who cannot walk the path."""
    parent = tempfile.mkdtemp(prefix="fleetward-0700-")
    os.chmod(parent, 0o700)
    fw = Fleetward(parent, start=False)
    try:
        fw.start()
        certificate = fw.thing("MyDevice")
        with Reporter(fw, certificate, "MyDevice") as device:
            device.listen("json")
            assert device.ask(report(1))[0] == "accepted"
        fw.stop()
        fw.start()
        assert fw.iot.describe_thing(thingName="MyDevice")["thingName"] == "MyDevice"
        fw.stop()
    finally:
        fw.end()
        subprocess.run(["rm", "-rf", parent], check=True)


def test_a_relative_data_folder_and_a_configuration_file(tmp_path):
    ports = [free_port() for _ in range(3)]
    (tmp_path / "fleetward.toml").write_text(
        f'[api]\nlisten = "127.0.0.1:{ports[0]}"\n[mqtt]\nlisten = ["127.0.0.1:{ports[1]}", "127.0.0.1:{free_port()}"]\n'
        f'[metrics]\nlisten = "127.0.0.1:{ports[2]}"\n[tls]\nhostnames = ["fleet.example.org", "192.0.2.7"]\n')
    fw = Fleetward(tmp_path, start=False)
    command = [FLEETWARD, "up", "--data", "data", "--config", "fleetward.toml", "--set", "log.level=debug"]
    try:
        with open(fw.log_file, "ab") as log:
            fw.process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=fw.environment())
        fw.wait_ready()
        endpoint = fw.endpoint
        assert endpoint["mqtt_port"] == ports[1] and endpoint["mqtt_host"] == "fleet.example.org"
        assert endpoint["ca"] == str(tmp_path / "data" / "ca.pem")
        assert {"fleet.example.org", "192.0.2.7", "localhost"} <= names_of(ports[0], endpoint["ca"])
        fw.stop()
        # Other names: another certificate, the same CA.
        ca = open(endpoint["ca"]).read()
        (tmp_path / "fleetward.toml").write_text(
            (tmp_path / "fleetward.toml").read_text().replace("fleet.example.org", "other.example.org"))
        with open(fw.log_file, "ab") as log:
            fw.process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=fw.environment())
        fw.wait_ready()
        assert open(fw.endpoint["ca"]).read() == ca
        names = names_of(ports[0], endpoint["ca"])
        assert "other.example.org" in names and "fleet.example.org" not in names
        fw.stop()
    finally:
        fw.end()


@pytest.fixture
def own_network():
    """Ports below 1024 that nobody else has."""
    back = enter_private_network()
    if not back:
        pytest.skip("network namespaces are not allowed here")
    yield
    back()


def test_443_with_alpn_beside_8883(make, own_network, tmp_path):
    """AWS's newer clients go to port 443 and offer an ALPN name; both ports are one broker's."""
    fw = make({"mqtt.listen": "127.0.0.1:8883,127.0.0.1:443"})
    assert fw.endpoint["mqtt_port"] == 8883
    fw.run("provision", "modern", "--data", fw.data, "--out", str(tmp_path / "out"))
    certificate = SimpleNamespace(pem=str(tmp_path / "out/certificate.pem"), key=str(tmp_path / "out/private.key"))
    context = ssl.create_default_context(cafile=fw.ca)
    context.load_cert_chain(certificate.pem, certificate.key)
    context.set_alpn_protocols(["x-amzn-mqtt-ca"])
    with socket.create_connection(("127.0.0.1", 443), 5) as raw, context.wrap_socket(raw, server_hostname="localhost") as tls:
        tls.sendall(b"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x06modern")
        assert tls.recv(4) == b"\x20\x02\x00\x00"
    # Our agent offers the name there, too.
    agent = fw.agent(certificate, "modern", "-p", "443", "-i", "1")
    agent.wait_accepted(2)
    agent.stop()
    with Reporter(fw, certificate, "modern") as device:
        device.listen("json")
        assert device.ask(report(int(time.time()) + 1000))[0] == "accepted"
    assert fw.brokers() == [fw.pid("broker")]


def test_the_api_on_a_port_of_roots(make, own_network):
    """Started as root the server is somebody else, and keeps the right to its port alone."""
    fw = make({"api.listen": "127.0.0.1:443"})
    assert fw.iot.list_things()["things"] == []
    if os.geteuid() == 0:
        with open(f"/proc/{fw.pid('server')}/status") as file:
            status = file.read()
        assert int(re.search(r"CapEff:\s*(\w+)", status)[1], 16) == 1 << 10  # CAP_NET_BIND_SERVICE


@pytest.mark.parametrize("setting, said", [("api.listen=nowhere", "api.listen"), ("no.such.key=1", "no.such.key"),
                                           ("detect.min_duration_seconds=0", "detect.min_duration_seconds"),
                                           ("account_id=12", "account_id")])
def test_a_bad_setting_is_named_before_anything_is_made(tmp_path, setting, said):
    data = tmp_path / "data"
    done = subprocess.run([FLEETWARD, "up", "--data", data, "--set", setting], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode != 0 and said in done.stderr
    assert not data.exists()


def test_status_waits_until_everything_serves(tmp_path, fw):
    done = fw.run("status", "--data", fw.data, "--wait", "5")
    assert fw.endpoint["api"] in done.stdout
    started = time.monotonic()
    nothing = fw.run("status", "--data", str(tmp_path / "none"), "--wait", "1", check=False)
    assert nothing.returncode != 0 and time.monotonic() - started < 5


def test_a_stale_endpoint_json_does_not_satisfy_status(make):
    fw = make()
    fw.stop()
    assert fw.run("status", "--data", fw.data, "--wait", "1", check=False).returncode != 0


def test_env_makes_the_stock_cli_work_in_a_shell(fw):
    fw.iot.create_thing(thingName="seen-by-env")
    try:
        script = f'eval "$({FLEETWARD} env --data {fw.data})" && aws iot list-things --query "things[].thingName" --output text'
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=clean_environment(HOME=fw.scratch))
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["seen-by-env"]
        done = fw.run("aws", "--data", fw.data, "iot", "describe-thing", "--thing-name", "seen-by-env")
        assert json.loads(done.stdout)["thingName"] == "seen-by-env"
        failed = fw.run("aws", "--data", fw.data, "iot", "describe-thing", "--thing-name", "nobody", check=False)
        assert failed.returncode != 0 and "ResourceNotFoundException" in failed.stderr
    finally:
        fw.iot.delete_thing(thingName="seen-by-env")


def test_mails_are_kept_and_shown_without_a_relay(make):
    fw = make()
    topic = fw.sns.create_topic(Name="alerts")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")

    def kept():
        text = fw.run("mail", "--data", fw.data).stdout
        return text if "ops@example.org" in text else None
    text = wait_for(kept, 10, "the kept mail")
    link = next(word for word in text.split() if word.startswith("https://") and "ConfirmSubscription" in word)
    with urllib.request.urlopen(link, context=ssl.create_default_context(cafile=fw.ca), timeout=10) as answer:
        assert answer.status // 100 == 2
    fw.sns.publish(TopicArn=topic, Message="hello there", Subject="Greetings")
    wait_for(lambda: "hello there" in fw.run("mail", "--data", fw.data).stdout, 10, "the second mail")
    assert "mail" in fw.run("status", "--data", fw.data).stdout.lower()


@pytest.mark.parametrize("settings, base", [
    ({"api.public_url": "https://alerts.example.com/"}, "https://alerts.example.com/?"),
    ({"api.listen": "0.0.0.0:{port}", "tls.hostnames": "fleet.example.org,192.0.2.7"}, "https://fleet.example.org:{port}/?")],
    ids=["as configured", "by the first name"])
def test_links_in_mails_begin_with_what_others_reach(make, settings, base):
    port = free_port()
    fw = make({"api.listen": f"127.0.0.1:{port}", **{key: value.replace("{port}", str(port)) for key, value in settings.items()}})
    keys = fw.credentials()
    sns = boto3.session.Session().client(
        "sns", region_name="us-east-1", endpoint_url=f"https://127.0.0.1:{port}", verify=fw.ca,
        aws_access_key_id=keys["aws_access_key_id"], aws_secret_access_key=keys["aws_secret_access_key"])
    sns.subscribe(TopicArn=sns.create_topic(Name="alerts")["TopicArn"], Protocol="email", Endpoint="ops@example.org")

    def links():
        return [word for word in fw.run("mail", "--data", fw.data).stdout.split() if "ConfirmSubscription" in word]
    link = wait_for(links, 10, "the mail")[0]
    assert link.startswith(base.replace("{port}", str(port))), link


def test_the_log_says_no_more_than_its_level(make):
    said = {}
    for level in ("warning", "info", "debug"):
        fw = make({"log.level": level})
        fw.thing("pump")
        fw.stop()
        said[level] = {line.split(" ", 1)[0] for line in fw.log().splitlines()} & {"debug", "info", "warning", "error"}
    assert "info" not in said["warning"] and "debug" not in said["info"]
    assert "info" in said["info"] and "info" in said["debug"]


def test_every_table_of_the_control_plane_has_the_account(make):
    fw = make()
    fw.thing("pump")
    fw.sns.create_topic(Name="alerts")
    fw.stop()
    tables = {}
    with sqlite3.connect(os.path.join(fw.data, "control.db")) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            tables[table] = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    assert {"t_things", "t_certificates", "t_policies", "t_sns_topics"} <= set(tables)
    # Those two speak of the file itself.
    without = {table for table, columns in tables.items() if "account" not in columns}
    assert without == {"migrations", "store_sequence"}


def test_status_and_why_of_a_thing(make):
    fw = make({"detect.min_duration_seconds": 1})
    certificate = fw.thing("MyDevice")
    behavior = {"name": "fewPorts", "metric": "aws:num-listening-tcp-ports",
                "criteria": {"comparisonOperator": "less-than", "value": {"count": 5}, "durationSeconds": 1}}
    fw.iot.create_security_profile(securityProfileName="Ports", behaviors=[behavior])
    fw.iot.attach_security_profile(securityProfileName="Ports",
                                   securityProfileTargetArn="arn:aws:iot:us-east-1:123456789012:all/things")
    with Reporter(fw, certificate, "MyDevice") as device:
        device.listen("json")
        number = 0

        def alarmed():
            nonlocal number
            number += 1
            body = report(number, {"listening_tcp_ports": {"total": 9}}, custom_metrics={"unheard_of": [{"number": 1}]})
            assert device.ask(body)[0] == "accepted"
            return fw.iot.list_active_violations(thingName="MyDevice")["activeViolations"]
        violation = wait_for(alarmed, 10, "the violation", every=0.3)[0]
        status = fw.run("status", "MyDevice", "--data", fw.data).stdout
        assert "unheard_of" in status and "127.0.0.1" in status
        why = fw.run("why", "MyDevice", "fewPorts", "--data", fw.data).stdout
        assert "fewPorts" in why and "9" in why and violation["violationId"] in why
    assert fw.run("why", "MyDevice", "noSuch", "--data", fw.data, check=False).returncode != 0
    unknown = fw.run("why", "nobody", "--data", fw.data, check=False)
    assert unknown.returncode != 0 and "nothing was heard" in unknown.stdout


def test_provision_makes_everything_a_device_needs(make, tmp_path):
    fw = make()
    out, bundle = str(tmp_path / "out"), str(tmp_path / "bundle.tar.gz")
    done = fw.run("provision", "pump-1", "--data", fw.data, "--out", out, "--bundle", bundle, check=False)
    assert done.returncode == 0, done.stderr
    keys = [n for n in os.listdir(out) if n.endswith(".key")]
    assert len(keys) == 1 and mode(os.path.join(out, keys[0])) == 0o600
    principals = fw.iot.list_thing_principals(thingName="pump-1")["principals"]
    assert len(principals) == 1
    policies = fw.iot.list_attached_policies(target=principals[0])["policies"]
    assert len(policies) == 1
    document = json.loads(fw.iot.get_policy(policyName=policies[0]["policyName"])["policyDocument"])
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow" and "*" not in statement["Resource"] and statement["Action"] != "iot:*"
    # What is in the bundle works on another machine: here, unpacked elsewhere, with its own files.
    with tarfile.open(bundle) as archive:
        names = {os.path.basename(m.name): m for m in archive.getmembers() if m.isfile()}
        assert {"fleetward-agent", "ca.pem", "install.sh"} <= set(names)
        assert any(n.endswith(".service") for n in names) and any(n.endswith(".toml") for n in names)
        for member in names.values():
            if member.name.endswith(".key"):
                assert member.mode & 0o077 == 0
        archive.extractall(tmp_path / "elsewhere")
    root = next(folder for folder, _, files in os.walk(tmp_path / "elsewhere") if "fleetward-agent" in files)
    key = next(n for n in os.listdir(root) if n.endswith(".key"))
    agent = subprocess.Popen(
        [os.path.join(root, "fleetward-agent"), "-e", fw.endpoint["mqtt_host"], "-p", str(fw.mqtt_port),
         "-r", os.path.join(root, "ca.pem"), "-c", os.path.join(root, "certificate.pem"), "-k", os.path.join(root, key),
         "-id", "pump-1", "-f", "cbor", "-i", "1", "--set", f"spool.directory={tmp_path}/spool"],
        env=fw.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in agent.stdout:
            if "agent.report_accepted" in line:
                break
        else:
            raise AssertionError("the agent ended")
    finally:
        agent.kill()
        agent.communicate()
    # Installed, every file that its configuration names is there.
    target = tmp_path / "root"
    target.mkdir()
    done = subprocess.run([os.path.join(root, "install.sh"), "--root", target], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    configuration = (target / "etc/fleetward-agent/agent.toml").read_text()
    for name in ("root_ca", "certificate", "key"):
        path = re.search(f'^{name} = "/(.*)"$', configuration, re.M).group(1)
        assert (target / path).exists(), path
    assert (target / "usr/bin/fleetward-agent").exists()
    # Other machines cannot reach localhost, and one of another kind needs another program.
    assert "tls.hostnames" in fw.run("provision", "pump-2", "--data", fw.data, "--out", out, "--bundle", bundle).stdout
    if not os.path.exists(f"{BUILD}/../agent-armhf/bin/fleetward-agent"):
        refused = fw.run("provision", "pump-3", "--data", fw.data, "--out", out, "--bundle", bundle, "--arch", "armhf",
                         check=False)
        assert refused.returncode != 0 and "scripts/build agent armhf" in refused.stderr
    bad = tmp_path / "bad"
    assert fw.run("provision", "bad name!", "--data", fw.data, "--out", str(bad), check=False).returncode != 0
    assert sorted(t["thingName"] for t in fw.iot.list_things()["things"]) == ["pump-1", "pump-2"]


def test_an_installed_fleetward_finds_its_parts(tmp_path):
    """scripts/install below a folder: server, plugin and what a bundle needs are found from there."""
    subprocess.run([f"{ROOT}/scripts/install", "--root", tmp_path / "root"], check=True, capture_output=True,
                   env=clean_environment(FLEETWARD_BUILD=BUILD))
    assert (tmp_path / "root/etc/fleetward/fleetward.toml").exists()
    program = str(tmp_path / "root/usr/bin/fleetward")
    os.chmod(tmp_path, 0o755)
    installed = Fleetward(tmp_path / "data", start=False)
    installed.arguments = lambda program=program, given=installed.arguments: [program, *given()[1:]]
    try:
        installed.start()
        for line in open(f"/proc/{installed.pid('server')}/maps"):
            if line.rstrip().endswith("/fleetward"):
                assert str(tmp_path) in line
                break
        subprocess.run([program, "provision", "dev", "--data", installed.data, "--out", str(tmp_path / "dev"), "--bundle",
                        str(tmp_path / "dev.tar.gz")], check=True, capture_output=True)
        installed.stop()
    finally:
        installed.end()


def test_version_and_help(fw):
    assert fw.run("--version").stdout.strip()
    text = fw.run("--help").stdout
    for command in ("up", "status", "why", "mail", "env", "aws", "provision", "simulate"):
        assert command in text


def test_a_provisioned_thing_connects_at_once_whatever_the_broker_was_doing(make, tmp_path):
    """The command answers when the broker enforces what it made: here after the broker stood still for longer than other
    calls wait (D42)."""
    fw = make()
    fw.signal("broker", signal.SIGSTOP)
    began = time.monotonic()
    provision = subprocess.Popen([FLEETWARD, "provision", "pump-1", "--data", fw.data, "--out", str(tmp_path / "out")],
                                 env=fw.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: "pump-1" in str(fw.iot.list_things()["things"]), 10, "the thing")
        time.sleep(1.5)
        assert provision.poll() is None, "it answered while no broker could know of the thing"
    finally:
        fw.signal("broker", signal.SIGCONT)
    out, complaints = provision.communicate(timeout=30)
    assert provision.returncode == 0 and complaints == "" and "provisioned" in out, (out, complaints)
    certificate = SimpleNamespace(pem=str(tmp_path / "out/certificate.pem"), key=str(tmp_path / "out/private.key"))
    with Device(fw, certificate, "pump-1"):
        assert time.monotonic() - began < 20
