"""An MQTT client (paho) with a device's certificate, over real mutual TLS."""
import json
import ssl
import threading
import time

import cbor2
import paho.mqtt.client as mqtt

from support.processes import wait_for


class _Client(mqtt.Client):
    """paho's thread dies of a TLS alert that comes after the handshake (TLS 1.3): that is the end of the connection."""

    def _thread_main(self):
        try:
            super()._thread_main()
        except (OSError, ssl.SSLError) as error:
            self.on_disconnect(self, None, error)


class Device:
    """`with Device(fw, certificate, "id") as d:` connects, or raises Refused."""

    def __init__(self, fleetward, certificate, client_id, protocol=mqtt.MQTTv311, clean=True, keepalive=60, will=None,
                 connect=True, minimum_tls=None, maximum_tls=None, ca=None):
        options = {} if protocol == mqtt.MQTTv5 else {"clean_session": clean}
        self.fleetward, self.client_id, self.keepalive = fleetward, client_id, keepalive
        self.client = _Client(client_id=client_id, protocol=protocol, **options)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(ca or fleetward.endpoint["ca"])
        if certificate:
            context.load_cert_chain(certificate.pem, certificate.key)
        if minimum_tls:
            context.minimum_version = minimum_tls
        if maximum_tls:
            context.maximum_version = maximum_tls
        self.client.tls_set_context(context)
        if will:
            self.client.will_set(*will)
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self.client.on_message = self._message
        self.client.on_publish = lambda _c, _u, mid: self._done(self.published, mid)
        self.client.on_subscribe = lambda _c, _u, mid, codes, *_: self._done(self.subscribed, mid, codes)
        self.client.reconnect_delay_set(1, 2)
        self.lock = threading.Condition()
        self.return_code = None       # of the last CONNACK
        self.ended = []               # return codes of ended connections
        self.connects = 0
        self.session_present = None
        self.messages = []            # (topic, payload)
        self.published, self.subscribed = {}, {}
        self.reconnect = False
        self.running = False
        if connect:
            self.connect()

    # paho's thread

    def _connected(self, _client, _userdata, flags, code, *_):
        with self.lock:
            self.return_code = getattr(code, "value", code)
            self.session_present = flags.get("session present")
            self.connects += self.return_code == 0
            self.lock.notify_all()

    def _disconnected(self, _client, _userdata, code, *_):
        with self.lock:
            self.ended.append(code)
            if not self.reconnect:
                self.client._thread_terminate = True
            self.lock.notify_all()

    def _message(self, _client, _userdata, message):
        with self.lock:
            self.messages.append((message.topic, message.payload))
            self.lock.notify_all()

    def _done(self, table, mid, value=True):
        with self.lock:
            table[mid] = value
            self.lock.notify_all()

    # the test's thread

    def connect(self, seconds=15):
        try:
            self.client.connect(self.fleetward.endpoint["mqtt_host"], self.fleetward.endpoint["mqtt_port"], self.keepalive)
        except (OSError, ssl.SSLError) as error:
            raise Refused(str(error)) from error
        self.client.loop_start()
        self.running = True
        with self.lock:
            self.lock.wait_for(lambda: self.return_code is not None or self.ended, seconds)
            code, ended = self.return_code, list(self.ended)
        if code != 0:
            self.close()
            raise Refused(f"CONNACK {code}, ended {ended}", code)
        return self

    def subscribe(self, topic, qos=1, seconds=10):
        """Granted QoS, 0x80 for a refusal; raises Refused when the connection ends."""
        _, mid = self.client.subscribe(topic, qos)
        with self.lock:
            self.lock.wait_for(lambda: mid in self.subscribed or self.ended, seconds)
            if mid not in self.subscribed:
                raise Refused(f"subscribe {topic}: no SUBACK, ended {self.ended}")
            code = self.subscribed[mid][0]
            return getattr(code, "value", code)

    def publish(self, topic, payload=b"x", qos=1, retain=False, seconds=10, properties=None):
        """True when acknowledged (QoS 0: sent); False when the connection ended or nothing came."""
        before = len(self.ended)
        info = self.client.publish(topic, payload, qos, retain, properties)
        with self.lock:
            self.lock.wait_for(lambda: info.mid in self.published or len(self.ended) > before, seconds)
            return info.mid in self.published

    def received(self, topic=None):
        with self.lock:
            return [(t, p) for t, p in self.messages if topic is None or t == topic]

    def wait_message(self, topic=None, count=1, seconds=10):
        wait_for(lambda: len(self.received(topic)) >= count, seconds, f"{count} messages on {topic}")
        return self.received(topic)

    def wait_closed(self, seconds=10):
        with self.lock:
            assert self.lock.wait_for(lambda: bool(self.ended), seconds), f"{self.client_id} is still connected"
        return time.monotonic()

    def close(self):
        self.reconnect = False
        if self.running:
            self.client.disconnect()
            self.client.loop_stop()
            self.running = False

    def drop(self):
        """Ends the connection without DISCONNECT."""
        self.reconnect = False
        sock = self.client.socket()
        if sock:
            sock.shutdown(2)
        self.client.loop_stop()
        self.running = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Refused(Exception):
    def __init__(self, text, code=None):
        super().__init__(text)
        self.code = code


class Reporter(Device):
    """A device that sends reports and reads their answers."""

    def __init__(self, fleetward, certificate, client_id, thing=None, **keywords):
        super().__init__(fleetward, certificate, client_id, **keywords)
        self.thing = thing or client_id
        self.taken = 0

    def listen(self, *formats, qos=1):
        for form in formats or ("json", "cbor"):
            for verdict in ("accepted", "rejected"):
                self.subscribe(f"$aws/things/{self.thing}/defender/metrics/{form}/{verdict}", qos)
        return self

    def send(self, payload, form="json", qos=1):
        """payload: bytes as they are, or a report to encode."""
        if not isinstance(payload, (bytes, bytearray)):
            payload = json.dumps(payload).encode() if form == "json" else cbor2.dumps(payload)
        return self.publish(f"$aws/things/{self.thing}/defender/metrics/{form}", bytes(payload), qos)

    def answers(self):
        """All answers so far: (verdict, decoded)."""
        out = []
        for topic, payload in self.received():
            parts = topic.split("/")
            if len(parts) == 7 and parts[3] == "defender":
                out.append((parts[6], json.loads(payload) if parts[5] == "json" else cbor2.loads(payload)))
        return out

    def ask(self, payload, form="json", qos=1, seconds=10):
        """Sends and waits for the next answer: (verdict, decoded)."""
        self.taken = len(self.answers())
        self.send(payload, form, qos)
        wait_for(lambda: len(self.answers()) > self.taken or self.ended, seconds, "an answer")
        answers = self.answers()
        assert len(answers) > self.taken, f"the connection ended: {self.ended}"
        return answers[self.taken]


def report(report_id, metrics=None, **more):
    """A small valid report."""
    out = {"header": {"report_id": report_id, "version": "1.0"}, "metrics": {} if metrics is None else metrics}
    out.update(more)
    return out
