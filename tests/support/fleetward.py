"""`fleetward up` in a folder and on ports of its own, and the stock clients that drive it."""
import configparser
import json
import os
import signal
import stat
import subprocess
import time
import uuid

import boto3
import botocore.config

from support import processes
from support.paths import AGENT, FLEETWARD
from support.processes import free_port, wait_for

# Whatever would steer the stock clients past the flags that a user gives.
STEERING = ("AWS_", "SSL_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "BOTO_", "http_proxy", "https_proxy", "HTTP_PROXY",
            "HTTPS_PROXY", "ALL_PROXY", "all_proxy")


def clean_environment(**more):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(STEERING)}
    environment.update(more)
    return environment


class CommandFailed(Exception):
    def __init__(self, arguments, result):
        super().__init__(f"{' '.join(arguments)}: exit {result.returncode}\n{result.stdout}\n{result.stderr}")
        self.status, self.stdout, self.stderr = result.returncode, result.stdout, result.stderr


class Fleetward:
    """Settings are the ones of `--set`, as a dict; None takes a default of this class away."""

    def __init__(self, folder, settings=None, start=True):
        self.data = os.path.join(str(folder), "data")
        self.scratch = os.path.join(str(folder), "scratch")
        os.makedirs(self.scratch, exist_ok=True)
        self.mark = uuid.uuid4().hex
        self.api_port, self.mqtt_port, self.metrics_port = free_port(), free_port(), free_port()
        self.settings = {"api.listen": f"127.0.0.1:{self.api_port}",
                         "mqtt.listen": f"127.0.0.1:{self.mqtt_port}",
                         "metrics.listen": f"127.0.0.1:{self.metrics_port}",
                         "detect.min_report_interval_seconds": "0"}
        self.settings.update(settings or {})
        self.process = None
        self.log_file = os.path.join(str(folder), "up.log")
        self._clients = {}
        if start:
            self.start()

    # Processes

    def environment(self, **more):
        return clean_environment(**{processes.MARK: self.mark}, **more)

    def arguments(self):
        out = [FLEETWARD, "up", "--data", self.data]
        for key, value in self.settings.items():
            if value is not None:
                out += ["--set", f"{key}={value}"]
        return out

    def launch(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdout=log, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, env=self.environment(),
                                            preexec_fn=processes.die_with_parent)
        return self

    def start(self, seconds=60):
        self.launch()
        return self.wait_ready(seconds)

    def wait_ready(self, seconds=60):
        """Until `status --wait` says so, of this very start: a folder may still be served by what a kill left over."""
        deadline = time.monotonic() + seconds
        wait_for(lambda: self.living("supervisor") == self.process.pid or self.process.poll() is not None, seconds,
                 "the supervisor")
        seconds = max(1, round(deadline - time.monotonic()))
        result = self.run("status", "--data", self.data, "--wait", str(seconds), check=False, timeout=seconds + 30)
        assert result.returncode == 0, f"not ready: {result.stdout}{result.stderr}\n{self.log_tail()}"
        assert self.process.poll() is None, self.log_tail()
        self._clients.clear()
        return self

    def stop(self, signal_number=signal.SIGTERM, within=5.0):
        """Ends it as a user does; exit 0, within 5 s (D32), and nothing left."""
        self.process.send_signal(signal_number)
        try:
            status = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {within} s after the signal: {self.log_tail()}") from None
        self.process = None
        assert status == 0, f"exit {status}: {self.log_tail()}"
        left = processes.marked(self.mark)
        assert not left, [processes.command_of(pid) for pid in left]

    def end(self):
        """For teardown: whatever is there, it is gone afterwards."""
        processes.end_all(self.mark)
        if self.process:
            self.process.wait()
            self.process = None

    def pid(self, part):
        """part: supervisor, server or broker. The file's first word is the pid."""
        with open(os.path.join(self.data, f"{part}.pid")) as file:
            return int(file.read().split()[0])

    def living(self, part):
        try:
            pid = self.pid(part)
        except (OSError, ValueError, IndexError):
            return None
        return pid if processes.alive(pid) else None

    def signal(self, part, number):
        os.kill(self.pid(part), number)

    def brokers(self):
        """Pids of the brokers of this instance."""
        found = []
        for pid in processes.marked(self.mark):
            try:
                if os.path.basename(processes.command_of(pid)[0]) == "mosquitto":
                    found.append(pid)
            except (OSError, IndexError):
                continue
        return found

    def log(self):
        with open(self.log_file, errors="replace") as file:
            return file.read()

    def log_tail(self, lines=60):
        return "\n".join(self.log().splitlines()[-lines:]) if os.path.exists(self.log_file) else ""

    def run(self, *arguments, check=True, timeout=90, **keywords):
        """The `fleetward` program with these arguments."""
        command = [FLEETWARD, *arguments]
        result = subprocess.run(command, text=True, capture_output=True, timeout=timeout,
                                env=self.environment(), stdin=subprocess.DEVNULL, **keywords)
        if check and result.returncode != 0:
            raise CommandFailed(command, result)
        return result

    # What clients are told

    @property
    def endpoint(self):
        with open(os.path.join(self.data, "endpoint.json")) as file:
            return json.load(file)

    @property
    def ca(self):
        return os.path.join(self.data, "ca.pem")

    @property
    def credentials_file(self):
        return os.path.join(self.data, "credentials")

    def credentials(self):
        parser = configparser.ConfigParser()
        assert parser.read(self.credentials_file)
        return dict(parser["fleetward"])

    # Stock clients

    def aws(self, *arguments, check=True):
        """Debian's aws-cli as a user calls it; the answer as JSON, None when empty. check=False: the finished process."""
        command = ["/usr/bin/aws", "--endpoint-url", self.endpoint["api"], "--ca-bundle", self.ca,
                   "--profile", "fleetward", "--output", "json", *[str(a) for a in arguments]]
        environment = clean_environment(AWS_SHARED_CREDENTIALS_FILE=self.credentials_file, HOME=self.scratch,
                                        AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="")
        result = subprocess.run(command, text=True, capture_output=True, timeout=120, env=environment, cwd=self.scratch)
        if not check:
            return result
        if result.returncode != 0:
            raise CommandFailed(command, result)
        return json.loads(result.stdout) if result.stdout.strip() else None

    def client(self, service, **keywords):
        """A boto3 client of "iot", "sns" or "iot-data", one per service."""
        if keywords:
            return self._make_client(service, **keywords)
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]

    def _make_client(self, service, region="us-east-1", key=None, secret=None):
        credentials = self.credentials()
        return boto3.session.Session().client(
            service, region_name=region, endpoint_url=self.endpoint["api"], verify=self.ca,
            aws_access_key_id=key or credentials["aws_access_key_id"],
            aws_secret_access_key=secret or credentials["aws_secret_access_key"],
            config=botocore.config.Config(retries={"max_attempts": 0}, parameter_validation=False,
                                          connect_timeout=10, read_timeout=30))

    @property
    def iot(self):
        return self.client("iot")

    @property
    def sns(self):
        return self.client("sns")

    def arn(self, kind, name):
        return f"arn:aws:iot:us-east-1:123456789012:{kind}/{name}"

    # Devices

    def certificate(self, active=True, name=None):
        """A certificate of the service's CA with its files."""
        made = self.iot.create_keys_and_certificate(setAsActive=active)
        return self.save(made["certificatePem"], made["keyPair"]["PrivateKey"], made["certificateArn"],
                         made["certificateId"], name)

    def save(self, pem, key, arn=None, certificate_id=None, name=None):
        base = os.path.join(self.scratch, name or uuid.uuid4().hex)
        for path, text in ((base + ".pem", pem), (base + ".key", key)):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
        return Certificate(base + ".pem", base + ".key", arn, certificate_id)

    def policy(self, name, *statements):
        """Creates a policy; statements as in `document`."""
        self.iot.create_policy(policyName=name, policyDocument=document(*statements))
        return name

    def thing(self, name, policy=None, certificate=None, attach=True):
        """A thing with a certificate of its own; policy: statements, a policy's name, or None for `iot:*` on `*`."""
        certificate = certificate or self.certificate()
        self.iot.create_thing(thingName=name)
        if attach:
            self.iot.attach_thing_principal(thingName=name, principal=certificate.arn)
        if not isinstance(policy, str):
            policy = self.policy(f"policy-{uuid.uuid4().hex[:12]}", *(policy or [("Allow", "iot:*", "*")]))
        self.iot.attach_policy(policyName=policy, target=certificate.arn)
        certificate.policy = policy
        return certificate

    def agent(self, certificate, client_id, *flags, config="", thing=None):
        return RunningAgent(self, certificate, client_id, flags, config, thing)


class Certificate:
    def __init__(self, pem, key, arn=None, certificate_id=None):
        self.pem, self.key, self.arn, self.id = pem, key, arn, certificate_id
        self.policy = None


class RunningAgent:
    """fleetward-agent against a Fleetward."""

    def __init__(self, fleetward, certificate, client_id, flags, config, thing):
        self.folder = os.path.join(fleetward.scratch, f"agent-{uuid.uuid4().hex[:8]}")
        os.makedirs(self.folder)
        path = os.path.join(self.folder, "agent.toml")
        with open(path, "w") as file:
            file.write(config)
        endpoint = fleetward.endpoint
        self.arguments = [AGENT, "-e", endpoint["mqtt_host"], "-p", str(endpoint["mqtt_port"]), "-r", endpoint["ca"],
                          "-c", certificate.pem, "-k", certificate.key, "-id", client_id, "--config", path,
                          "--set", f"spool.directory={self.folder}/spool", *(["-t", thing] if thing else []), *flags]
        self.fleetward = fleetward
        self.log_file = os.path.join(self.folder, "agent.log")
        self.start()

    def start(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=self.fleetward.environment(), preexec_fn=processes.die_with_parent)

    def log(self):
        with open(self.log_file, errors="replace") as file:
            return file.read()

    def wait_accepted(self, count=1, seconds=20):
        wait_for(lambda: self.log().count("agent.report_accepted") >= count, seconds, f"an accepted report: {self.log()}")

    def stop(self):
        self.process.terminate()
        status = self.process.wait(10)
        assert status == 0, self.log()

    def kill(self):
        self.process.kill()
        self.process.wait()


def document(*statements):
    """A policy document of (effect, actions, resources) or (…, condition); a resource is "*" or the part of an ARN
    after the account, such as client/a."""
    def resource(text):
        return text if text == "*" or text.startswith("arn:") else "arn:aws:iot:us-east-1:123456789012:" + text

    def listed(value):
        return [value] if isinstance(value, str) else list(value)

    out = []
    for effect, actions, resources, *condition in statements:
        statement = {"Effect": effect, "Action": listed(actions), "Resource": [resource(r) for r in listed(resources)]}
        if condition:
            statement["Condition"] = condition[0]
        out.append(statement)
    return json.dumps({"Version": "2012-10-17", "Statement": out})


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)
