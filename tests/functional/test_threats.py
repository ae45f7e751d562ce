"""Attacks of docs/threat-model.md that fit no other file."""
import socket
import ssl
import subprocess
import time

import pytest

from support.device import Device, Reporter, report
from support.processes import wait_for


@pytest.fixture(scope="module")
def fw(make_shared):
    return make_shared()


def test_n_renegotiation_is_refused_by_the_broker(fw):
    certificate = fw.thing("renegotiates")
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{fw.mqtt_port}", "-tls1_2", "-CAfile",
                               fw.ca, "-cert", certificate.pem, "-key", certificate.key], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, _ = client.communicate("R\n", timeout=20)  # openssl's client asks for one with a line "R"
    assert "RENEGOTIATING" in said and "Verify return code: 0" in said, said
    assert "no renegotiation" in said, said
