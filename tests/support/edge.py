"""A real Mosquitto with Fleetward's plugin under the real supervisor, and a stand-in for the server that prints frames.
MQTT is spoken here byte by byte, so that tests see each packet, or none."""
import hashlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

from support.plain_broker import TestCa, free_port, wait_for  # noqa: F401

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("FLEETWARD_BUILD", os.path.join(ROOT, "build", "release"))
ALLOW_ALL = json.dumps({"Version": "2012-10-17",
                        "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})


def policy(*statements):
    arn = "arn:aws:iot:us-east-1:123456789012:"
    out = []
    for effect, actions, resources in statements:
        out.append({"Effect": effect, "Action": actions, "Resource": [arn + r if r != "*" else r for r in resources]})
    return json.dumps({"Version": "2012-10-17", "Statement": out})


def fingerprint(pem_file):
    with open(pem_file) as file:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("!H", len(data)) + data


def packet(kind, body):
    size, out = len(body), bytes([kind])
    while True:
        byte, size = size & 127, size >> 7
        out += bytes([byte | (128 if size else 0)])
        if not size:
            return out + body


class Closed(Exception):
    pass


class Mqtt:
    """One connection. `sock` is connected; protocol 3, 4 or 5."""

    def __init__(self, sock, protocol=4):
        self.sock, self.protocol, self.data, self.mid = sock, protocol, b"", 0
        self.inbox = []

    def properties(self):
        return b"\0" if self.protocol == 5 else b""

    def send(self, kind, body=b""):
        try:
            self.sock.sendall(packet(kind, body))
        except (OSError, ssl.SSLError) as error:
            raise Closed() from error

    def connect(self, client_id, clean=True, will=None, keepalive=60, username=None, password=None):
        flags = (2 if clean else 0) | (4 if will else 0) | (128 if username else 0) | (64 if password else 0)
        name = b"MQIsdp" if self.protocol == 3 else b"MQTT"
        body = text(name) + bytes([self.protocol, flags]) + struct.pack("!H", keepalive)
        if self.protocol == 5:
            body += b"\0" if clean else b"\x05\x11\x00\x00\x0e\x10"
        body += text(client_id)
        if will:
            body += self.properties() + text(will[0]) + text(will[1])
        body += (text(username) if username else b"") + (text(password) if password else b"")
        self.send(0x10, body)
        kind, answer = self.read(want=0x20)
        assert kind == 0x20
        return answer[1]

    def read(self, want=None, timeout=10):
        """The next packet; publishes are kept in the inbox (and acknowledged) unless wanted."""
        while True:
            kind, body = self.read_any(timeout)
            if kind & 0xF0 == 0x30:
                size = struct.unpack("!H", body[:2])[0]
                at, qos = 2 + size, (kind >> 1) & 3
                if qos:
                    self.send(0x40, body[at:at + 2])
                    at += 2
                self.inbox.append((body[2:2 + size].decode(), body[at + (1 if self.protocol == 5 else 0):]))
                if want == 0x30:
                    return kind, body
                continue
            if want is None or kind == want:
                return kind, body

    def read_any(self, timeout):
        self.sock.settimeout(timeout)
        while True:
            if len(self.data) >= 2:
                size = shift = 0
                for at in range(1, min(5, len(self.data))):
                    size |= (self.data[at] & 127) << shift
                    shift += 7
                    if not self.data[at] & 128:
                        if len(self.data) >= at + 1 + size:
                            kind, body = self.data[0], self.data[at + 1:at + 1 + size]
                            self.data = self.data[at + 1 + size:]
                            return kind, body
                        break
            try:
                more = self.sock.recv(65536)
            except TimeoutError:
                raise
            except OSError as error:
                raise Closed() from error
            if not more:
                raise Closed()
            self.data += more

    def post(self, topic, payload=b"x", qos=1, retain=False):
        """Sends a publish without waiting for anything."""
        self.mid = self.mid % 65535 + 1
        body = text(topic) + (struct.pack("!H", self.mid) if qos else b"") + self.properties() + payload
        self.send(0x30 | qos << 1 | (1 if retain else 0), body)

    def publish(self, topic, payload=b"x", qos=1, retain=False):
        """The PUBACK's reason code (0 for MQTT 3)."""
        self.post(topic, payload, qos, retain)
        if not qos:
            return self.ping()
        _, body = self.read(want=0x40)
        return body[2] if len(body) > 2 else 0

    def subscribe(self, *filters, qos=1):
        self.mid = self.mid % 65535 + 1
        body = struct.pack("!H", self.mid) + self.properties()
        self.send(0x82, body + b"".join(text(f) + bytes([qos]) for f in filters))
        _, answer = self.read(want=0x90)
        return list(answer[3 if self.protocol == 5 else 2:])

    def ping(self, timeout=10):
        self.send(0xC0)
        self.read(want=0xD0, timeout=timeout)
        return 0

    def receive(self, count, timeout=10):
        deadline = time.monotonic() + timeout
        while len(self.inbox) < count:
            self.read(want=0x30, timeout=max(0.01, deadline - time.monotonic()))
        return self.inbox

    def is_closed(self, timeout=5):
        try:
            while True:
                self.read(timeout=timeout)
        except Closed:
            return True
        except TimeoutError:
            return False

    def disconnect(self):
        self.send(0xE0)
        self.sock.close()

    def drop(self):
        """As a device that loses its network: no DISCONNECT, no close_notify."""
        raw = self.sock.detach() if isinstance(self.sock, ssl.SSLSocket) else self.sock.detach()
        os.close(raw)


class Testd:
    """The stand-in server."""
    __test__ = False

    def __init__(self, run_dir, state):
        self.command = [f"{BUILD}/bin/fleetward-edge-testd", "--socket", f"{run_dir}/ingest.sock", "--state", state]
        self.frames, self.process, self.lock = [], None, threading.Lock()

    def start(self, *extra):
        self.process = subprocess.Popen(self.command + list(extra), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        threading.Thread(target=self.pump, args=(self.process,), daemon=True).start()

    def pump(self, process):
        for line in process.stdout:
            frame = json.loads(line)
            with self.lock:
                self.frames.append(frame)

    def command_line(self, **members):
        self.process.stdin.write(json.dumps(members) + "\n")
        self.process.stdin.flush()

    def ask(self, kind, **members):
        before = len(self.of(kind))
        self.command_line(**members)
        return wait_for(lambda: self.of(kind)[before:], what=kind)[0]

    def of(self, kind, **members):
        with self.lock:
            return [f for f in self.frames
                    if f["type"] == kind and all(f.get(k) == v for k, v in members.items())]

    def totals(self, client):
        total = {}
        for frame in self.of("counters"):
            for record in frame["records"]:
                if record["client"] != client:
                    continue
                for key, value in record.items():
                    if isinstance(value, int) and not isinstance(value, bool):
                        total[key] = max(total.get(key, 0), value) if key == "max_payload" else total.get(key, 0) + value
        return total

    def settle(self):
        """Waits until the counters of all that happened before have come: two more seconds of the edge's clock."""
        before = len(self.of("clock"))
        wait_for(lambda: len(self.of("clock")) >= before + 2, what="the edge's clock")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(10)


class Certificates:
    """Issued once for all tests of a run."""

    def __init__(self, folder, names):
        self.ca = TestCa(folder)
        self.files = {name: self.ca.issue(name) for name in names}
        self.ids = {name: fingerprint(files[0]) for name, files in self.files.items()}
        self.ca_folder = f"{folder}/cas"
        os.mkdir(self.ca_folder)
        digest = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", self.ca.ca], check=True,
                                capture_output=True, text=True).stdout.strip()
        os.symlink(self.ca.ca, f"{self.ca_folder}/{digest}.0")


class EdgeUnderTest:
    def __init__(self, folder, certificates, **options):
        self.folder, self.certificates, self.port = str(folder), certificates, free_port()
        self.data = f"{self.folder}/data"
        self.run = f"{self.data}/run"
        os.makedirs(self.run, mode=0o700)
        self.options, self.version, self.supervisor = options, 1, None
        self.server = Testd(self.run, f"{self.folder}/acked.json")
        self.members = {"policies": [ALLOW_ALL], "certificates": [], "things": []}
        self.clients = []
        self.plugin, self.pki = f"{BUILD}/lib/fleetward_mosquitto.so", certificates.ca.folder
        self.ca_folder = certificates.ca_folder

    def certificate(self, name, **members):
        number = list(self.certificates.ids).index(name)
        return {"id": self.certificates.ids[name], "set": number, "policies": [0], "status": 0, **members}

    def snapshot(self):
        answer = self.server.ask("snapshot", op="snapshot", path=f"{self.run}/policy.snapshot", version=self.version,
                                 **self.members)
        assert answer["ok"], answer

    def start(self, with_server=True):
        if with_server:
            self.server.start()
            self.snapshot()
        self.start_supervisor()
        if with_server:
            wait_for(lambda: self.server.of("clock"), what="the first clock frame")
        return self

    def start_supervisor(self):
        broker = self.pki + "/broker"
        options = [f"{key}={value}" for key, value in self.options.items()]
        self.log = open(f"{self.folder}/supervisor.log", "a")
        self.supervisor = subprocess.Popen(
            [f"{BUILD}/bin/fleetward-supervise-testd", self.data, self.plugin, broker + ".pem", broker + ".key",
             self.ca_folder, f"127.0.0.1:{self.port}", *options],
            stdout=self.log, stderr=self.log)
        wait_for(self.listening, what="the broker's port")

    def listening(self):
        assert self.supervisor.poll() is None, open(f"{self.folder}/supervisor.log").read()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def broker_pid(self):
        try:
            return int(open(f"{self.data}/broker.pid").read())
        except (OSError, ValueError):
            return 0

    def context(self, name, **limits):
        context = ssl.create_default_context(cafile=self.certificates.ca.ca)
        if name:
            context.load_cert_chain(*self.certificates.files[name])
        for key, value in limits.items():
            setattr(context, key, value)
        return context

    def tls(self, name, context=None, session=None):
        raw = socket.create_connection(("127.0.0.1", self.port), 10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return (context or self.context(name)).wrap_socket(raw, server_hostname="localhost", session=session)

    def mqtt(self, name, protocol=4):
        client = Mqtt(self.tls(name), protocol)
        self.clients.append(client)
        return client

    def connected(self, name, client_id, protocol=4, **options):
        client = self.mqtt(name, protocol)
        code = client.connect(client_id, **options)
        assert code == 0, code
        return client

    def control(self, secret=None, client_id="$server"):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(f"{self.run}/ctl.sock")
        client = Mqtt(sock)
        secret = secret or open(f"{self.run}/ctl.secret").read().strip()
        client.code = client.connect(client_id, username="fleetward", password=secret)
        return client

    def delta(self, control, **members):
        answer = self.server.ask("delta", op="delta", **{"from": self.version, "to": self.version + 1}, **members)
        self.version += 1
        control.post("$CONTROL/fleetward/v1", b"\x02" + bytes.fromhex(answer["hex"]), qos=0)

    def stop(self):
        for client in self.clients:
            try:
                client.sock.close()
            except OSError:
                pass
        if self.supervisor and self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGCONT)
            self.supervisor.terminate()
            self.supervisor.wait(10)
        self.server.stop()
        if self.supervisor:
            self.log.close()
