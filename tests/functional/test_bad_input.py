"""Hostile reports, API bodies, requests and networks against the whole: a clear error, and nothing lost."""
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import cbor2
import pytest

from support import processes
from support.device import Device, Refused, Reporter, report
from support.paths import TLS_LOAD
from support.pki import OwnCa
from support.processes import wait_for


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared({"detect.min_duration_seconds": 1})


@pytest.fixture(scope="module")
def certificate(fw):
    return fw.thing("hostile")


@pytest.fixture(autouse=True)
def nothing_ends(fw):
    before = {part: fw.pid(part) for part in ("supervisor", "server", "broker")}
    yield
    assert {part: fw.living(part) for part in before} == before, "a process ended"
    fw.iot.list_things()  # and it serves


# Reports

def wrapped(metrics):
    return b'{"header":{"report_id":1,"version":"1.0"},"metrics":' + metrics + b"}"


HOSTILE_JSON = {
    "nested": wrapped(b'{"a":' + b"[" * 30000 + b"]" * 30000 + b"}"),
    "nested objects": wrapped(b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "only brackets": b"[" * 100000,
    "duplicate metric": wrapped(b'{"network_stats":{"bytes_in":1,"bytes_in":2}}'),
    "duplicate by short name": wrapped(b'{"network_stats":{"bytes_in":1,"bi":2}}'),
    "duplicate header": b'{"header":{"report_id":1,"version":"1.0"},"header":{"report_id":2,"version":"1.0"},"metrics":{}}',
    "duplicate by escape": wrapped(b'{"network_stats":{"bytes_in":1,"bytes\\u005fin":2}}'),
    "not utf-8": wrapped(b'{"a":"\xff\xfe"}'), "overlong utf-8": wrapped(b'{"a":"\xc0\x80"}'),
    "surrogate": wrapped(b'{"a":"\\ud800"}'), "nul inside": wrapped(b'{"a":"\0"}'),
    "number too large": wrapped(b'{"network_stats":{"bytes_in":18446744073709551616}}'),
    "infinite": wrapped(b'{"network_stats":{"bytes_in":1e999}}'), "nan": wrapped(b'{"network_stats":{"bytes_in":NaN}}'),
    "negative": wrapped(b'{"network_stats":{"bytes_in":-1}}'), "boolean": wrapped(b'{"network_stats":{"bytes_in":true}}'),
    "port 0": wrapped(b'{"listening_tcp_ports":{"ports":[{"port":0}]}}'),
    "port 65536": wrapped(b'{"listening_tcp_ports":{"ports":[{"port":65536}]}}'),
    "no address": wrapped(b'{"tcp_connections":{"established_connections":{"connections":[{"remote_addr":"a.b:1"}]}}}'),
    "list for map": wrapped(b"[]"), "null": wrapped(b"null"),
    "101 custom metrics": json.dumps({"header": {"report_id": 1, "version": "1.0"},
                                      "custom_metrics": {f"m{i}": [{"number": i}] for i in range(101)}}).encode(),
    "1001 values": json.dumps({"header": {"report_id": 1, "version": "1.0"},
                               "custom_metrics": {"m": [{"number_list": [1] * 1001}]}}).encode(),
    "a long string": json.dumps({"header": {"report_id": 1, "version": "1.0"},
                                 "custom_metrics": {"m": [{"string_list": ["x" * 1025]}]}}).encode(),
}
HOSTILE_CBOR = {
    "length beyond the end": b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "long text": b"\xa1\x7b\x7f\xff\xff\xff\xff\xff\xff\xffx",
    "nested": b"\x81" * 100000, "nested maps": b"\xa1\x61a" * 30000 + b"\x01", "indefinite without end": b"\xbf\x66header\xbf",
    "tags": b"\xc6" * 50000 + b"\x01", "reserved": b"\x1c", "break alone": b"\xff", "empty": b"",
    "number as key": b"\xa1\x01\x02",
    "duplicate": b"\xa2\x66header\xa2\x69report_id\x01\x67version\x631.0\x66header\xa2\x69report_id\x02\x67version\x631.0",
    "not utf-8": b"\xa1\x62\xff\xfe\x01", "bytes for text": cbor2.dumps({b"header": 1}),
}


@pytest.mark.parametrize("form, cases", [("json", HOSTILE_JSON), ("cbor", HOSTILE_CBOR)])
def test_hostile_reports_are_rejected_and_the_next_one_counts(fw, certificate, form, cases):
    with Reporter(fw, certificate, "hostile") as device:
        device.listen(form)
        for number, (name, payload) in enumerate(cases.items()):
            verdict, answer = device.ask(payload, form)
            assert verdict == "rejected", name
            assert answer["statusDetails"]["ErrorCode"] == "InvalidPayload", name
            if number % 5 == 0:
                assert device.ask(report(100 + number), form)[0] == "accepted", name


def test_every_truncation_of_a_report(fw, certificate):
    full = json.dumps(report(7, {"network_stats": {"bytes_in": 5}, "listening_tcp_ports": {
        "ports": [{"port": 22, "interface": "eth0"}], "total": 1}})).encode()
    binary = cbor2.dumps(json.loads(full))
    with Reporter(fw, certificate, "hostile") as device:
        device.listen()
        cuts = [(full[:i], "json") for i in range(0, len(full), 3)] + [(binary[:i], "cbor") for i in range(0, len(binary), 3)]
        before = len(device.answers())
        for payload, form in cuts:
            device.send(payload, form, qos=0)
            time.sleep(0.011)  # below the rate of a connection (threat h)
        wait_for(lambda: len(device.answers()) >= before + len(cuts), 15, "all answers")
        assert {verdict for verdict, _ in device.answers()[before:]} == {"rejected"}
        assert device.ask(full)[0] == "accepted"


def test_an_oversized_report_closes_and_one_just_below_does_not(fw, certificate):
    with Reporter(fw, certificate, "hostile") as device:
        device.listen("json")
        padded = json.dumps(report(1)).encode()
        padded += b" " * (128 * 1024 - len(padded))
        assert device.ask(padded)[0] == "accepted"
        assert not device.send(padded + b" ")
        device.wait_closed(5)
    with Reporter(fw, certificate, "hostile") as device:
        device.send(b"x" * (4 << 20))
        device.wait_closed(10)


def test_h_a_flood_of_one_connection_does_not_disturb_others(fw, certificate):
    quiet = fw.thing("quiet")
    with Device(fw, certificate, "hostile") as flood, Reporter(fw, quiet, "quiet") as device:
        device.listen("json")
        stop = threading.Event()

        def pour():
            while not stop.is_set() and not flood.ended:
                flood.client.publish("flood", b"x" * 100, 0)
                time.sleep(0.0005)
        thread = threading.Thread(target=pour)
        thread.start()
        try:
            slowest = 0
            for number in range(20):
                started = time.monotonic()
                assert device.ask(report(number))[0] == "accepted"
                slowest = max(slowest, time.monotonic() - started)
            assert slowest < 1
        finally:
            stop.set()
            thread.join()


# The API

def signed(fw, method, path, body=b"", headers=None, service="iot", key=None, secret=None, when=None):
    credentials = fw.credentials()
    request = botocore.awsrequest.AWSRequest(method, fw.endpoint["api"] + path, data=body, headers=headers or {})
    keys = botocore.credentials.Credentials(key or credentials["aws_access_key_id"],
                                            secret or credentials["aws_secret_access_key"])
    botocore.auth.SigV4Auth(keys, service, "us-east-1").add_auth(request)
    return dict(request.headers)


def call(fw, method, path, body=b"", **keywords):
    """(status, error name, body) of a signed call."""
    request = urllib.request.Request(fw.endpoint["api"] + path, data=body or None, method=method,
                                     headers=signed(fw, method, path, body, **keywords))
    context = ssl.create_default_context(cafile=fw.ca)
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:
            return answer.status, None, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("x-amzn-errortype"), error.read()


BAD_BODIES = [b"{", b"[]", b"null", b'"x"', b"{\"behaviors\":5}", b'{"behaviors":[5]}', b'{"behaviors":[{}]}',
              b'{"behaviors":[{"name":"a b"}]}', b'{"behaviors":[{"name":"a","metric":"aws:no-such"}]}',
              b'{"behaviors":[{"name":"a","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than",'
              b'"value":{"count":1}}}]}',
              b'{"behaviors":[{"name":"a","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"in-cidr-set",'
              b'"value":{"count":1},"durationSeconds":300}}]}',
              b'{"behaviors":[{"name":"a","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than",'
              b'"value":{"count":-1},"durationSeconds":300}}]}',
              b'{"securityProfileDescription":"' + b"x" * 1001 + b'"}', b'{"securityProfileDescription":"\xff"}',
              b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}", b'{"behaviors":[' + b"{}," * 200 + b"{}]}"]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_bad_api_bodies_get_the_services_errors(fw, body):
    status, name, answer = call(fw, "POST", "/security-profiles/bad", body, headers={"Content-Type": "application/json"})
    assert status == 400 and name.split(":")[0] in ("InvalidRequestException", "LimitExceededException"), (name, answer)
    assert json.loads(answer)["message"]
    assert "bad" not in [i["name"] for i in fw.iot.list_security_profiles()["securityProfileIdentifiers"]]


@pytest.mark.parametrize("method, path, status", [
    ("POST", "/things/a%20b", 400), ("POST", "/things/" + "x" * 129, 400), ("POST", "/things/%00", 400),
    ("POST", "/things/%ff", 400), ("GET", "/things/nobody", 404), ("GET", "/things?maxResults=0", 400),
    ("GET", "/things?maxResults=251", 400), ("GET", "/things?maxResults=x", 400), ("GET", "/things?nextToken=forged", 400),
    ("GET", "/no/such/thing", 404), ("PUT", "/certificates/zz?newStatus=ACTIVE", 400), ("BREW", "/things", 404),
    ("POST", "/policies/p", 400)])
def test_bad_requests(fw, method, path, status):
    got, name, answer = call(fw, method, path, b"{}" if method == "POST" else b"")
    assert got == status or (status == 404 and got in (403, 405)), (got, name, answer)


def test_w_names_with_other_languages_inside_stay_text(fw):
    """No pattern holds for attribute values and descriptions of everything: they come back as they went in."""
    for text in ("'; DROP TABLE thing; --", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\u202etxt.exe", "${iot:ClientId}"):
        got = fw.sns.create_topic(Name="w")
        fw.sns.set_topic_attributes(TopicArn=got["TopicArn"], AttributeName="DisplayName", AttributeValue=text[:100])
        shown = fw.sns.get_topic_attributes(TopicArn=got["TopicArn"])["Attributes"]["DisplayName"]
        assert shown == text[:100]
        with pytest.raises(botocore.exceptions.ClientError) as fault:
            fw.iot.create_thing(thingName=text)
        assert fault.value.response["Error"]["Code"] == "InvalidRequestException"
        with pytest.raises(botocore.exceptions.ClientError):
            fw.iot.describe_thing(thingName=text)
    # A log line stays one line.
    with Reporter(fw, fw.certificate(), "x", connect=False):
        pass
    anonymous = fw.certificate()
    fw.iot.attach_policy(policyName=fw.policy("w-all", ("Allow", "iot:*", "*")), target=anonymous.arn)
    try:
        Device(fw, anonymous, "a\nlevel=error msg=forged").close()
    except Refused:
        pass
    assert not [line for line in fw.log().splitlines() if line.startswith("level=error msg=forged")]


@pytest.mark.parametrize("endpoint", ["a@b.c\r\nBcc: x@y.z", "a@b.c\nX: y", "a@b.c,d@e.f", "@", "a b@c.d", "a@b.c\0"])
def test_46_mail_injection_is_an_invalid_parameter(fw, endpoint):
    topic = fw.sns.create_topic(Name="injection")["TopicArn"]
    with pytest.raises(botocore.exceptions.ClientError) as fault:
        fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=endpoint)
    assert fault.value.response["Error"]["Code"] in ("InvalidParameter", "InvalidParameterValue", "ValidationError")
    for bad in ({"Subject": "a\r\nBcc: x@y.z"}, {"Subject": "a\nb"}, {"Subject": "x" * 101}):
        with pytest.raises(botocore.exceptions.ClientError) as fault:
            fw.sns.publish(TopicArn=topic, Message="m", **bad)
        assert fault.value.response["Error"]["Code"] == "InvalidParameter"
    with pytest.raises(botocore.exceptions.ClientError):
        fw.sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="a\r\nBcc: x@y.z")


# HTTP itself

def speak(fw, *pieces, seconds=10, pause=0.0):
    """Sends bytes over TLS; everything that came until the close, and whether it was closed."""
    context = ssl.create_default_context(cafile=fw.ca)
    with socket.create_connection(("127.0.0.1", fw.api_port), 5) as sock, \
            context.wrap_socket(sock, server_hostname="localhost") as tls:
        tls.settimeout(seconds)
        out = b""
        try:
            for piece in pieces:
                tls.sendall(piece)
                time.sleep(pause)
            while chunk := tls.recv(65536):
                out += chunk
            return out, True
        except TimeoutError:
            return out, False
        except (OSError, ssl.SSLError):
            return out, True


SMUGGLED = b"GET /things HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("head", [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 4",
    b"Content-Length: 4\r\nContent-Length: 5", b"Content-Length: 4\r\nContent-Length: 4", b"Content-Length: 4, 5",
    b"Content-Length: -1", b"Content-Length: +4", b"Content-Length: 0x4", b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: gzip", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Content-Length: 4\r\n folded: yes", b"Host: other", b"Authorization: a\r\nAuthorization: b"])
def test_46_ambiguous_requests_get_one_refusal_and_a_close(fw, head):
    request = b"POST /things/smuggle HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n" + b"0\r\n\r\n" + SMUGGLED
    answer, closed = speak(fw, request)
    assert closed, "the connection stays open"
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    status = int(answer.split()[1])
    assert 400 <= status < 500 or status == 501


def test_l_headers_and_bodies_without_end(fw):
    answer, closed = speak(fw, b"GET /things HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n")
    assert closed and (not answer or 400 <= int(answer.split()[1]) < 500)
    answer, closed = speak(fw, b"GET /things HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 100000 + b"\r\n")
    assert closed and (not answer or 400 <= int(answer.split()[1]) < 500)
    answer, closed = speak(fw, b"POST /things/big HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 100000)
    assert closed and int(answer.split()[1]) == 413
    answer, closed = speak(fw, b"\x16\x03\x01" * 100)
    assert closed


def test_l_slow_requests_do_not_hold_the_api(fw):
    """300 connections that dribble; others are served meanwhile. That they end within 150 s is the unit test's part."""
    context = ssl.create_default_context(cafile=fw.ca)
    slow = []
    try:
        for _ in range(150):
            sock = socket.create_connection(("127.0.0.1", fw.api_port), 5)
            tls = context.wrap_socket(sock, server_hostname="localhost")
            tls.sendall(b"POST /things/slow HTTP/1.1\r\nHost: localhost\r\nContent-Len")
            slow.append(tls)
        for _ in range(150):
            sock = socket.create_connection(("127.0.0.1", fw.mqtt_port), 5)
            sock.sendall(b"\x16")
            slow.append(sock)
        for _ in range(20):
            started = time.monotonic()
            fw.iot.list_things()
            assert time.monotonic() - started < 1
            for sock in slow[:150]:
                try:
                    sock.sendall(b"g")
                except OSError:
                    pass
        with Reporter(fw, fw.thing("amid-slow"), "amid-slow") as device:
            device.listen("json")
            assert device.ask(report(1))[0] == "accepted"
    finally:
        for sock in slow:
            sock.close()


def storm(fw, port, *flags, seconds=5, rate=600):
    """Handshakes from one address, so many a second (tests/support/tls_load.cc)."""
    return subprocess.Popen([TLS_LOAD, "--port", str(port), "--rate", str(rate), "--seconds", str(seconds), "--flight",
                             "20000", *flags], stdout=subprocess.PIPE, preexec_fn=processes.die_with_parent,
                            env=fw.environment())


def served_during(process, ask):
    """The delays of `ask`, sorted, and what the storm did."""
    delays = []
    while process.poll() is None:
        started = time.monotonic()
        ask(started)
        delays.append(time.monotonic() - started)
        time.sleep(0.01)
    delays.sort()
    return delays, json.loads(process.communicate()[0])


@pytest.mark.parametrize("flags", [["--mode", "bare"], ["--mode", "hello"], ["--mode", "hello", "--groups", "P-521"],
                                   ["--mode", "hello", "--groups", "ffdhe8192"]], ids=lambda flags: "-".join(flags[1::2]))
def test_k_handshakes_without_end_leave_connected_devices_served(fw, certificate, flags):
    with Reporter(fw, certificate, "hostile") as device:
        device.listen("json")

        def ask(now):
            assert device.ask(report(int(now * 1000)))[0] == "accepted"
        delays, load = served_during(storm(fw, fw.mqtt_port, *flags), ask)
        assert load["started"] > 600 * 5 * 0.95
        assert load["failed" if "ffdhe8192" in flags else "done"] > 600 * 5 * 0.5, load
        assert len(delays) > 20 and delays[int(len(delays) * 0.99)] < 1, delays[-5:]
    # The storm is counted by address, and took no session.
    assert device.connects == 1


@pytest.fixture(scope="module")
def flood_certificates(fw):
    """Of a registered and active one the possession alone is proved, to an unknown one the chain is missing."""
    ca, made = OwnCa(fw.scratch, "flood ca"), {}
    ca.register(fw)
    for curve in ("P-256", "P-384"):
        key = ("-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-nodes")
        made["registered", curve] = ca.issue("/CN=registered " + curve, key_options=key)
        fw.iot.register_certificate(certificatePem=made["registered", curve].text, status="ACTIVE")
        made["unknown", curve] = OwnCa(fw.scratch, "unknown " + curve).issue(key_options=key)
    return made


@pytest.mark.parametrize("kind, curve, groups, rate", [
    ("unknown", "P-256", None, 600), ("unknown", "P-384", None, 600), ("registered", "P-256", None, 600),
    ("registered", "P-384", None, 600), ("registered", "P-384", "P-384", 600), (None, None, "P-384", 600),
    (None, None, "P-521", 600), (None, None, "P-384", 2000), ("registered", "P-384", "P-384", 2000)])
def test_k_costly_handshakes_leave_connected_devices_served(fw, certificate, flood_certificates, kind, curve, groups, rate):
    """Also more than the broker can do: clients' turns alternate with those of whoever is none yet. A machine that has more
    to do than this test leaves few samples of 5 s: so the 95th percentile."""
    flags = ["--mode", "bare"] + (["--groups", groups] if groups else [])
    if kind:
        flags += ["--cert", flood_certificates[kind, curve].pem, "--key", flood_certificates[kind, curve].key]
    with Reporter(fw, certificate, "hostile") as device:
        device.listen("json")

        def ask(now):
            assert device.ask(report(int(now * 1000)))[0] == "accepted"
        delays, load = served_during(storm(fw, fw.mqtt_port, *flags, rate=rate), ask)
        assert load["started"] > rate * 5 * 0.5 and load["done"] > 100, load  # costly for the flood as well
        assert len(delays) > 20 and delays[int(len(delays) * 0.95)] < 1, delays[-5:]
    assert device.connects == 1


def test_k_newcomers_get_through_a_flood(fw, certificate, flood_certificates):
    """Nobody is refused for an address: a device that comes meanwhile waits in the same queue, and gets its turn."""
    flood = flood_certificates["registered", "P-256"]
    newcomer = fw.thing("amid-flood")
    process = storm(fw, fw.mqtt_port, "--mode", "bare", "--cert", flood.pem, "--key", flood.key, seconds=10)
    connects = 0
    while process.poll() is None:
        with Reporter(fw, newcomer, "amid-flood") as device:
            device.listen("json")
            assert device.ask(report(1))[0] == "accepted"
            connects += process.poll() is None
    process.communicate()
    assert connects >= 1, "within seconds, by the same luck as whoever floods"


def test_k_a_fleet_that_comes_back_at_once_is_not_refused(fw, certificate):
    """One address, as behind a NAT: 1,500 connects as fast as they go; who is connected is served meanwhile."""
    fleet = fw.thing("fleet")
    process = subprocess.Popen([TLS_LOAD, "--port", str(fw.mqtt_port), "--mode", "full", "--count", "1500", "--flight", "60",
                                "--cert", fleet.pem, "--key", fleet.key, "--id", "fleet-%d"], stdout=subprocess.PIPE,
                               preexec_fn=processes.die_with_parent, env=fw.environment())
    with Reporter(fw, certificate, "hostile") as device:
        device.listen("json")

        def ask(now):
            assert device.ask(report(int(now * 1000)))[0] == "accepted"
        delays, load = served_during(process, ask)
        assert load["done"] == 1500 and load["failed"] == 0, load
        assert delays and delays[int(len(delays) * 0.95)] < 1, delays[-5:]
    assert "the plugin is not preloaded" not in fw.log()


@pytest.mark.parametrize("flags", [["--mode", "bare"], ["--mode", "hello", "--groups", "ffdhe8192"]],
                         ids=lambda flags: "-".join(flags[1::2]))
def test_k_handshakes_without_end_leave_the_api_served(fw, flags):
    fw.iot.list_things()  # the client keeps its connection
    delays, load = served_during(storm(fw, fw.api_port, *flags), lambda _: fw.iot.list_things(maxResults=1))
    assert load["started"] > 600 * 5 * 0.95
    assert len(delays) > 20 and delays[int(len(delays) * 0.99)] < 1, delays[-5:]


def test_m_metrics_and_health_are_on_loopback_and_name_no_things(fw, certificate):
    with Reporter(fw, certificate, "hostile") as device:
        device.listen("json")
        device.ask(report(1))
    text = urllib.request.urlopen(f"http://127.0.0.1:{fw.metrics_port}/metrics", timeout=5).read().decode()
    assert "hostile" not in text
    lines = text.splitlines()
    assert [line for line in lines if line and not line.startswith("#")]
    for line in lines:  # every family has a help text and a type
        if line and not line.startswith("#"):
            family = line.split("{")[0].split()[0]
            base = family.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
            assert f"# TYPE {family} " in text or f"# TYPE {base} " in text, family
            assert f"# HELP {family} " in text or f"# HELP {base} " in text, family
            float(line.rsplit(" ", 1)[1])
    assert urllib.request.urlopen(f"http://127.0.0.1:{fw.metrics_port}/healthz", timeout=5).status == 200
    assert processes.listeners(fw.metrics_port) == {fw.pid("server")}
    address = subprocess.run(["ss", "-Hltn", f"sport = :{fw.metrics_port}"], capture_output=True, text=True).stdout
    assert {line.split()[3] for line in address.splitlines()} == {f"127.0.0.1:{fw.metrics_port}"}
    # Not on the API's port.
    for path in ("/metrics", "/healthz"):
        request = urllib.request.Request(fw.endpoint["api"] + path)
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, context=ssl.create_default_context(cafile=fw.ca), timeout=5)


# Signatures

def test_v_replays_clocks_and_presigned_urls(fw):
    headers = signed(fw, "GET", "/things")
    context = ssl.create_default_context(cafile=fw.ca)

    def status(headers, path="/things"):
        try:
            request = urllib.request.Request(fw.endpoint["api"] + path, headers=headers)
            return urllib.request.urlopen(request, context=context, timeout=10).status
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("x-amzn-errortype", "").split(":")[0]
    assert status(headers) == 200
    # Another path, another body, another date with this signature: refused.
    assert status(headers, "/policies") == (403, "InvalidSignatureException")
    date = headers["X-Amz-Date"]
    changed = dict(headers, **{"X-Amz-Date": date[:-2] + ("1Z" if date[-2] != "1" else "2Z")})
    assert status(changed) == (403, "InvalidSignatureException")
    assert status(dict(headers, **{"X-Amz-Date": "20200101T000000Z"}))[0] in (400, 403)
    assert status({}) == (403, "MissingAuthenticationTokenException")
    unknown = signed(fw, "GET", "/things", key="AKIAIOSFODNN7EXAMPLE")
    assert status(unknown) == (403, "UnrecognizedClientException")
    wrong = signed(fw, "GET", "/things", secret="x" * 40)
    assert status(wrong) == (403, "InvalidSignatureException")
    credentials = fw.credentials()
    keys = botocore.credentials.Credentials(credentials["aws_access_key_id"], credentials["aws_secret_access_key"])

    def presigned(seconds, region="us-east-1"):
        request = botocore.awsrequest.AWSRequest("GET", fw.endpoint["api"] + "/things")
        botocore.auth.SigV4QueryAuth(keys, "iot", region, expires=seconds).add_auth(request)
        return request.url.removeprefix(fw.endpoint["api"])
    assert status({}, presigned(60)) == 200
    assert status({}, presigned(7 * 86400 + 1))[0] in (400, 403)
    assert status({}, presigned(60, "eu-west-1")) == (403, "InvalidSignatureException")
    short = presigned(1)
    time.sleep(2.1)
    assert status({}, short)[0] in (400, 403)


def test_s_a_policy_pattern_that_explodes_does_not(fw):
    name = "pattern"
    certificate = fw.thing(name, [("Allow", ["iot:Connect", "iot:Subscribe", "iot:Receive"], "*"),
                                  ("Allow", "iot:Publish", "topic/" + "a*" * 60 + "b")])
    with Reporter(fw, fw.thing("pattern-witness"), "pattern-witness") as witness:
        witness.listen("json")
        for _ in range(3):
            with Device(fw, certificate, name) as device:
                assert not device.publish("a" * 250)
        started = time.monotonic()
        assert witness.ask(report(1))[0] == "accepted"
        assert time.monotonic() - started < 1
