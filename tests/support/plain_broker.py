"""A stock Mosquitto with mutual TLS and a test CA of its own, without Fleetward's plugin, and a stand-in for the
service that answers reports. For tests of the agent alone."""
import json
import os
import shutil
import socket
import subprocess
import threading
import time

import cbor2
import paho.mqtt.client as mqtt


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds=20, what="condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"timed out waiting for {what}")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class TestCa:
    """A CA with certificates for the broker (localhost) and for clients."""
    __test__ = False

    def __init__(self, folder):
        self.folder = str(folder)
        self.ca = f"{self.folder}/ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=test ca", "-keyout", f"{self.folder}/ca.key", "-out", self.ca)
        self.issue("broker", "subjectAltName=DNS:localhost,IP:127.0.0.1")

    def issue(self, name, extension="extendedKeyUsage=clientAuth"):
        base = f"{self.folder}/{name}"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{base}.key", "-out", f"{base}.csr")
        with open(f"{base}.ext", "w") as file:
            file.write(extension + "\n")
        openssl("x509", "-req", "-in", f"{base}.csr", "-CA", self.ca, "-CAkey", f"{self.folder}/ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", f"{base}.ext", "-out", f"{base}.pem")
        return f"{base}.pem", f"{base}.key"


class PlainBroker:
    def __init__(self, folder, ca):
        self.folder, self.ca, self.port = str(folder), ca, free_port()
        self.process = None
        self.conf = f"{self.folder}/mosquitto.conf"
        with open(self.conf, "w") as file:
            file.write(f"""listener {self.port} 127.0.0.1
cafile {ca.ca}
certfile {ca.folder}/broker.pem
keyfile {ca.folder}/broker.key
require_certificate true
allow_anonymous true
user root
log_dest none
""")
        self.start()

    def start(self):
        self.process = subprocess.Popen([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", self.conf],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def listening():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        wait_for(listening, what="mosquitto")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class StandInService:
    """Receives every report and answers it as `answer(topic, report)` says: "accepted", an ErrorCode, or None."""

    def __init__(self, broker, answer=lambda topic, report: "accepted"):
        self.answer = answer
        self.reports = []  # (topic, decoded report, raw payload)
        self.lock = threading.Lock()
        self.ready = threading.Event()
        self.client = mqtt.Client(client_id="service")
        certificate, key = broker.ca.issue("service")
        self.client.tls_set(broker.ca.ca, certificate, key)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda c, *_: c.subscribe("$aws/things/+/defender/metrics/+", 1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = self._message
        self.client.connect("localhost", broker.port)
        self.client.loop_start()
        assert self.ready.wait(10)

    def _message(self, _client, _userdata, message):
        form = message.topic.rsplit("/", 1)[1]
        decode, encode = (json.loads, lambda v: json.dumps(v).encode()) if form == "json" else (cbor2.loads, cbor2.dumps)
        report = decode(message.payload)
        with self.lock:
            self.reports.append((message.topic, report, message.payload))
        verdict = self.answer(message.topic, report)
        if verdict is None:
            return
        header = report.get("header") or report.get("hed")
        answer = {"thingName": message.topic.split("/")[2], "reportId": header.get("report_id") or header.get("rid"),
                  "status": "ACCEPTED" if verdict == "accepted" else "REJECTED", "timestamp": int(time.time() * 1000)}
        if verdict != "accepted":
            answer["statusDetails"] = {"ErrorCode": verdict, "ErrorMessage": "as the test wants"}
        suffix = "accepted" if verdict == "accepted" else "rejected"
        self.client.publish(f"{message.topic}/{suffix}", encode(answer), 1)

    def seen(self):
        with self.lock:
            return [report for _, report, _ in self.reports]

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()


class Agent:
    """A running fleetward-agent; its log is read into `log`."""

    def __init__(self, binary, broker, folder, *flags, thing="sensor-7", config=""):
        self.folder = str(folder)
        certificate, key = broker.ca.issue(thing)
        path = f"{self.folder}/agent.toml"
        with open(path, "w") as file:
            file.write(config)
        self.arguments = [binary, "-e", "localhost", "-p", str(broker.port), "-r", broker.ca.ca, "-c", certificate,
                          "-k", key, "-id", thing, "--config", path,
                          "--set", f"spool.directory={self.folder}/state", *flags]
        self.log = f"{self.folder}/agent.log"
        self.process = None
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stderr=log, stdout=log)

    def text(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def spooled(self):
        return [name for _, _, names in os.walk(f"{self.folder}/state") for name in names if name.endswith(".report")]

    def stop(self, expected=0):
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(10)
        assert status == expected, self.text()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
