#!/usr/bin/python3
"""A1, A2: CPU of one collection, agent against the bare sock_diag walk and against a psutil collector.

usage: bench/agent.py [--build build/release] [--connections 10,1000,10000] [--rounds 5] [--quick]

Holds 10, 1,000 and 10,000 established TCP connections (both ends are counted), listening TCP and bound UDP
sockets, and runs all in turn, A B C A B C, over and over. Prints medians, the median of the pairwise ratios and their
range. The figures count only when all see the same sockets, which is checked (a round that other programs on the
machine disturbed is run again). Custom metrics are measured apart.

Two psutil collectors: `psutil` does what AWS's Python agent does (its collector.py and metrics.py): all sockets once for
the ports and all TCP sockets once more for the connections; for every row of either the name of the local interface,
for which it asks for all interfaces' addresses anew each time; each remote address parsed to see whether it wants
brackets; and each connection looked for among those before it, in a list. `lean` asks once for the sockets and leaves
out names, parsing and the search for duplicates."""
import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import time

PSUTIL = r"""
import ipaddress, json, random, socket, sys, time
import psutil
turns, lean = int(sys.argv[1]), sys.argv[2] == "lean"
wildcards = {"0.0.0.0", "::"}
# What is asked of the kernel, and what is taken from each answer.
passes = {"inet": {"tcp", "udp", "peers"}} if lean else {"inet": {"tcp", "udp"}, "tcp": {"peers"}}

def role_of(row):
    if row.type == socket.SOCK_DGRAM:
        return "" if row.raddr else "udp"
    return {psutil.CONN_LISTEN: "tcp", psutil.CONN_ESTABLISHED: "peers"}.get(row.status, "")

def interface_of(ip):
    if lean or ip in wildcards:
        return ip
    return next((name for name in psutil.net_if_addrs()
                 if ip in {entry.address for entry in psutil.net_if_addrs()[name]}), None)

def port(row, interface):
    return {"port": row.laddr.port, "interface": interface}

def peer(row, interface):
    ip = row.raddr.ip
    if not lean and ipaddress.ip_address(ip).version != 4:
        ip = "[" + ip + "]"
    return {"remote_addr": f"{ip}:{row.raddr.port}", "local_interface": interface, "local_port": row.laddr.port}

def census():
    found = {"tcp": [], "udp": [], "peers": []}
    for kind, roles in passes.items():
        for row in psutil.net_connections(kind=kind):
            role = role_of(row)
            interface = interface_of(row.laddr.ip) if kind == "inet" or role in roles else None
            if role in roles:
                entry = (peer if role == "peers" else port)(row, interface)
                if lean or role != "peers" or entry not in found[role]:
                    found[role].append(entry)
    return found

def part(entries, name):
    return {name: entries if len(entries) <= 50 else random.sample(entries, 50), "total": len(entries)}

def report(report_id):
    found, traffic = census(), psutil.net_io_counters()
    text = json.dumps({"header": {"report_id": report_id, "version": "1.0"}, "metrics": {
        "listening_tcp_ports": part(found["tcp"], "ports"),
        "listening_udp_ports": part(found["udp"], "ports"),
        "network_stats": {"bytes_in": traffic.bytes_recv, "bytes_out": traffic.bytes_sent,
                          "packets_in": traffic.packets_recv, "packets_out": traffic.packets_sent},
        "tcp_connections": {"established_connections": part(found["peers"], "connections")}}})
    return [len(entries) for entries in found.values()] + [len(text)]

report(0)
costs = []
for turn in range(turns):
    begin = time.process_time_ns()
    counts = report(turn + 1)
    costs.append((time.process_time_ns() - begin) / 1000)
print("psutil", sorted(costs)[turns // 2], *counts)
"""

# What a device has: loopback and one interface, over whose address the connections go.
ADDRESS = "10.20.30.40"
NETWORK = f"""ip link set lo up
for kind in dummy ifb bridge; do ip link add eth0 type $kind 2>/dev/null && break; done
ip addr add {ADDRESS}/24 dev eth0; ip addr add fd00::40/64 dev eth0 nodad; ip link set eth0 up; exec "$@"
"""


def address():
    """The interface's, or loopback's where there could be no network of its own."""
    with socket.socket() as probe:
        try:
            probe.bind((ADDRESS, 0))
            return ADDRESS
        except OSError:
            return "127.0.0.1"


def hold(connections):
    kept = []
    host = address()
    for kind, count in ((socket.SOCK_STREAM, 5), (socket.SOCK_DGRAM, 3)):
        for _ in range(count):
            s = socket.socket(socket.AF_INET, kind)
            s.bind((host, 0))
            if kind == socket.SOCK_STREAM:
                s.listen(8)
            kept.append(s)
    server = kept[0]
    for _ in range(connections // 2):
        client = socket.create_connection(server.getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        kept += [client, server.accept()[0]]
    return kept


def run(*command, text=None):
    out = subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout.split()
    return float(out[1]), tuple(int(v) for v in out[2:5])


def ratio(above, below):
    pairs = [a / b for a, b in zip(above, below)]
    return f"{statistics.median(pairs):7.2f} ({min(pairs):.2f}-{max(pairs):.2f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--connections", default="10,1000,10000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round with few connections, as a smoke test")
    options = parser.parse_args()
    # A network namespace of its own keeps other programs' sockets out of the comparison.
    if "FLEETWARD_BENCH_ALONE" not in os.environ and subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode == 0:
        os.environ["FLEETWARD_BENCH_ALONE"] = "1"
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", NETWORK, "sh", sys.executable, *sys.argv])
    bench = os.path.join(options.build, "bin", "agent_bench")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    rounds = 1 if options.quick else options.rounds
    print(f"CPU microseconds per collection, encoding included; ratios are medians of pairs (range); on {address()}, load "
          f"{os.getloadavg()[0]:.0f}")
    print(f"{'connections':>11} {'agent':>9} {'floor':>9} {'/proc':>9} {'lean':>9} {'psutil':>9}  "
          f"{'agent/floor (A1)':>18}  {'lean/agent':>20}  psutil/agent (A2)")
    fair = True
    for connections in ((10, 100) if options.quick else [int(count) for count in options.connections.split(",")]):
        kept = hold(connections)
        fast = 20 if connections >= 10000 else 200
        slow = 1 if connections >= 10000 else 3
        costs = {"agent": [], "floor": [], "proc": [], "lean": [], "psutil": []}
        for _ in range(rounds):
            for attempt in range(4):
                found = {name: run(*([sys.executable, "-c", PSUTIL, str(slow), name] if name in ("lean", "psutil")
                                     else [bench, name, str(fast)])) for name in costs}
                if len({counts for _, counts in found.values()}) == 1:
                    break
            else:
                fair = False
                print(f"  not the same sockets: { {name: counts for name, (_, counts) in found.items()} }")
            for name, (cost, _) in found.items():
                costs[name].append(cost)
        median = {name: statistics.median(values) for name, values in costs.items()}
        print(f"{connections:>11} {median['agent']:>9.1f} {median['floor']:>9.1f} {median['proc']:>9.1f} "
              f"{median['lean']:>9.0f} {median['psutil']:>9.0f}  {ratio(costs['agent'], costs['floor']):>18}  "
              f"{ratio(costs['lean'], costs['agent']):>20}  "
              f"{ratio(costs['psutil'], costs['agent'])}")
        for s in kept:
            s.close()
        time.sleep(0.2)
    print("custom metrics, CPU microseconds each:")
    for kind in ("children", "cpu", "memory", "disk", "load", "processes", "command"):
        cost, _ = run(bench, f"custom:{kind}", "20" if kind == "command" else "50", text="tcp=22\n")
        print(f"  {kind:10} {cost:9.1f}")
    return 0 if fair else 1


if __name__ == "__main__":
    sys.exit(main())
