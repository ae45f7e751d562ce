#!/usr/bin/python3
"""Writes the sample reports of this folder: what the agents of the protocol's reference send, quirk by quirk.

The bytes are committed; run this again only to add a sample. The .expected files say what must be read from each
sample and are checked by hand.
"""
import json
import os
import struct

import cbor2

HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as out:
        out.write(data if isinstance(data, bytes) else data.encode())


def compact(document):
    return json.dumps(document, separators=(",", ":"))


def text(value):
    return cbor2.dumps(value)


def indefinite(value):
    """CBOR as the C agent writes it: every map and array of indefinite length."""
    if isinstance(value, dict):
        return b"\xbf" + b"".join(text(k) + indefinite(v) for k, v in value.items()) + b"\xff"
    if isinstance(value, list):
        return b"\x9f" + b"".join(indefinite(v) for v in value) + b"\xff"
    return cbor2.dumps(value)


# Python agent: long names, local_interface may be null, wildcard interfaces, ports twice, sampled connections.
python_long = {
    "header": {"report_id": 1763812800, "version": "1.0"},
    "metrics": {
        "listening_tcp_ports": {
            "ports": [{"interface": "0.0.0.0", "port": 22}, {"interface": "::", "port": 22},
                      {"interface": "127.0.0.1", "port": 631}],
            "total": 3},
        "listening_udp_ports": {"ports": [{"interface": "0.0.0.0", "port": 5353}, {"interface": "::", "port": 5353}],
                                "total": 2},
        "network_stats": {"bytes_in": 48211, "bytes_out": 9120, "packets_in": 310, "packets_out": 122},
        "tcp_connections": {"established_connections": {
            "connections": [{"local_interface": None, "local_port": 44210, "remote_addr": "203.0.113.9:8883"},
                            {"local_interface": "eth0", "local_port": 22, "remote_addr": "198.51.100.20:51122"},
                            {"local_interface": "eth0", "local_port": 22, "remote_addr": "2001:db8::77:50100"}],
            "total": 61}}}}
write("python-long.json", json.dumps(python_long))
write("python-long.cbor", cbor2.dumps(python_long))

with_custom = dict(python_long, custom_metrics={"cpu_usage": [{"number": 13.4}]})
write("python-custom.json", json.dumps(with_custom))
write("python-custom.cbor", cbor2.dumps(with_custom))

write("python-empty.json", json.dumps({"header": {"report_id": 1763813100, "version": "1.0"}, "metrics": {}}))

# Short tags of the Python agent: the entries of pts keep long names.
python_short = {
    "hed": {"rid": 1763812801, "v": "1.0"},
    "met": {
        "tp": {"pts": [{"interface": "0.0.0.0", "port": 8080}, {"interface": "0.0.0.0", "port": 22}], "t": 2},
        "up": {"pts": [], "t": 0},
        "tc": {"ec": {"cs": [{"li": "wlan0", "lp": 40002, "rad": "192.0.2.33:443"}], "t": 1}}}}
write("python-short.json", json.dumps(python_short))
write("python-short.cbor", cbor2.dumps(python_short))

# C agent: zero counters left out, empty lists, in CBOR indefinite lengths and local_port as text.
c_long = {
    "header": {"report_id": 1763812900, "version": "1.0"},
    "metrics": {
        "listening_tcp_ports": {"ports": [{"interface": "eth0", "port": 1883}], "total": 1},
        "listening_udp_ports": {"ports": [], "total": 0},
        "network_stats": {"bytes_in": 1207, "packets_in": 14},
        "tcp_connections": {"established_connections": {
            "connections": [{"local_interface": "eth0", "local_port": 37012, "remote_addr": "192.0.2.1:8883"}],
            "total": 1}}}}
c_short = {
    "hed": {"rid": 1763812901, "v": "1.0"},
    "met": {
        "tp": {"pts": [{"if": "eth0", "pt": 1883}], "t": 1},
        "up": {"pts": [], "t": 0},
        "ns": {"bi": 1207, "pi": 14},
        "tc": {"ec": {"cs": [{"li": "eth0", "lp": 37012, "rad": "192.0.2.1:8883"}], "t": 1}}}}
write("c-long.json", compact(c_long))
write("c-short.json", compact(c_short))
c_long["metrics"]["tcp_connections"]["established_connections"]["connections"][0]["local_port"] = "37012"
c_short["met"]["tc"]["ec"]["cs"][0]["lp"] = "37012"
write("c-long.cbor", indefinite(c_long))
write("c-short.cbor", indefinite(c_short))

# Device Client: uptime milliseconds as id, all four blocks, zero counters first; the older one ends with NUL and
# prints numbers as floating point.
device_client = {
    "header": {"report_id": 95123, "version": "1.0"},
    "metrics": {
        "listening_tcp_ports": {"ports": [], "total": 0},
        "listening_udp_ports": {"ports": [{"interface": "0.0.0.0", "port": 68}], "total": 1},
        "network_stats": {"bytes_in": 0, "bytes_out": 0, "packets_in": 0, "packets_out": 0},
        "tcp_connections": {"established_connections": {
            "connections": [{"local_interface": "eth0", "local_port": 58422, "remote_addr": "255.255.255.255:65535"}],
            "total": 1}}}}
write("device-client.json", json.dumps(device_client, indent="\t"))
write("device-client-nul.json",
      '{"header":{"report_id":1.7e+12,"version":"1.0"},"metrics":{"listening_tcp_ports":{"ports":[{"interface":"eth0",'
      '"port":22.0}],"total":1.0},"listening_udp_ports":{"ports":[],"total":0},"network_stats":{"bytes_in":1.5e+03,'
      '"bytes_out":20,"packets_in":3,"packets_out":2},"tcp_connections":{"established_connections":{"connections":[],'
      '"total":0}}},"custom_metrics":{"load":[{"number":1.25e-1}],"temps":[{"number_list":[20,21.5]}],'
      '"procs":[{"string_list":["init","app"]}],"peers":[{"ip_list":["10.0.0.1","2001:db8::2"]}]}}\0')

# Embedded C and FreeRTOS: fixed templates with spaces; the old FreeRTOS one in CBOR.
write("embedded-c.json",
      '{"header": {"report_id": 4294967295,"version": "1.0"},"metrics": {"listening_tcp_ports": {"ports": [{"port": 80},'
      '{"port": 443}],"total": 2},"listening_udp_ports": {"ports": [{"port": 123}],"total": 1},"network_stats": '
      '{"bytes_in": 512,"bytes_out": 77,"packets_in": 9,"packets_out": 5},"tcp_connections": '
      '{"established_connections": {"connections": [{"local_port": 33251,"remote_addr": "192.0.2.44:8883"}],'
      '"total": 1}}},"custom_metrics": {"stack_high_water_mark": [{"number": 240}],"task_numbers": '
      '[{"number_list": [1,2,5]}]}}')
freertos = {"hed": {"rid": 7, "v": "1.0"},
            "met": {"tc": {"ec": {"t": 1, "cs": [{"rad": "192.0.2.44:8883"}]}}}}
write("freertos.cbor", cbor2.dumps(freertos))

# Greengrass: the first sample has no network_stats.
greengrass_first = {"header": {"report_id": 1763813200, "version": "1.0"},
                    "metrics": {k: v for k, v in python_long["metrics"].items() if k != "network_stats"}}
write("greengrass-first.json", json.dumps(greengrass_first))

# CBOR numbers as floating point of every width, tagged, with an unknown member.
half = b"\xf9" + struct.pack(">e", 512.0)
single = b"\xfa" + struct.pack(">f", 70000.0)
double = b"\xfb" + struct.pack(">d", 1763813300.0)
write("floats.cbor",
      b"\xd9\xd9\xf7\xa3" + text("header") + b"\xa3" + text("report_id") + double + text("version") + text("1.0") +
      text("spooled_at") + b"\xc1" + double +
      text("metrics") + b"\xa1" + text("network_stats") + b"\xa2" + text("bytes_in") + half + text("bytes_out") + single +
      text("later") + cbor2.dumps({1: [b"bytes", None, True, {"x": 2 ** 70}]}))

write("our-agent-spooled.json", compact({
    "header": {"report_id": 1763813400, "version": "1.0", "spooled_at": 1763810000},
    "metrics": {"listening_tcp_ports": {"ports": [{"port": 22}], "total": 1},
                "network_stats": {"bytes_in": 1, "bytes_out": 2, "packets_in": 3, "packets_out": 4}},
    "custom_metrics": {"num_child_procs_myapp": [{"number": 0}]}}))
