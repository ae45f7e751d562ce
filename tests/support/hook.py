"""An http or https endpoint of a test: keeps what it is sent, answers as it is told. And a CA of the test's own."""
import datetime
import http.server
import ipaddress
import json
import os
import socket
import ssl
import threading
import time
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.processes import wait_for


class TestCa:
    """Writes ca.pem and, for each name, a certificate with its key into `folder`."""
    __test__ = False

    def __init__(self, folder):
        self.folder = str(folder)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of the test")])
        self.certificate = self._build(self.name, self.key.public_key(), True, [])
        self.file = os.path.join(self.folder, "test-ca.pem")
        self._write(self.file, self.certificate.public_bytes(serialization.Encoding.PEM))
        os.chmod(self.folder, 0o755)

    def _write(self, path, data):
        with open(path, "wb") as file:
            file.write(data)

    def _build(self, subject, public_key, is_ca, names):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=2))
                   .add_extension(x509.BasicConstraints(is_ca, None), critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, host):
        try:
            name = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        path = os.path.join(self.folder, host.replace(":", "_") + ".pem")
        self._write(path, self._build(subject, key.public_key(), False, [name])
                    .public_bytes(serialization.Encoding.PEM) +
                    key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()))
        return path


class Received:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body, self.at = path, dict(headers), body, time.monotonic()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        return self.headers.get("x-amz-sns-message-type")

    def keep(self, folder):
        """Whole or not at all, for readers in other processes."""
        part = folder / f"{uuid.uuid4().hex}.part"
        part.write_text(self.body)
        part.replace(folder / f"{self.type}.json")


class Hook:
    """`answer` is a status, or a function of the request's number that returns one; `delay` in seconds. In `folder` (a
    pathlib.Path) the last body of each x-amz-sns-message-type is kept as TYPE.json."""

    def __init__(self, identity=None, host="127.0.0.1", answer=200, delay=0, headers=None, folder=None):
        self.received, self.answer, self.delay, self.answer_headers = [], answer, delay, headers or {}
        self.connections = 0
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                received = Received(self.path, self.headers, body.decode())
                hook.received.append(received)
                if folder:
                    received.keep(folder)
                if hook.delay:
                    time.sleep(hook.delay)
                status = hook.answer(len(hook.received)) if callable(hook.answer) else hook.answer
                self.send_response(status)
                for name, value in hook.answer_headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                connection, address = self.socket.accept()
                hook.connections += 1
                connection.settimeout(30)
                if identity:
                    try:
                        connection = context.wrap_socket(connection, server_side=True)
                    except OSError:
                        connection.close()
                        raise
                return connection, address

        if identity:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity)
        self.server = Server((host, 0), Handler)
        self.port = self.server.socket.getsockname()[1]
        self.scheme = "https" if identity else "http"
        self.url = f"{self.scheme}://{host}:{self.port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def wait(self, count=1, kind=None, seconds=90):
        """The first `count` requests, of one x-amz-sns-message-type if `kind` is given."""
        def enough():
            found = [r for r in list(self.received) if kind in (None, r.type)]
            return found[:count] if len(found) >= count else None
        return wait_for(enough, seconds, f"{count} {kind or 'requests'} at {self.url}, got {len(self.received)}")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def closed_port():
    """A port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
