#!/usr/bin/python3
"""A1, A2: CPU of one collection, agent against the bare sock_diag walk and against a psutil collector.

usage: bench/agent.py [--build build/release] [--quick]

Holds 10, 1,000 and 10,000 established TCP connections (loopback pairs count twice), listening TCP and bound UDP
sockets, and runs all in turn, A B C A B C, five times over. Prints medians, the median of the pairwise ratios and their
range. The figures count only when all see the same sockets, which is checked (a round that other programs on the
machine disturbed is run again). Custom metrics are measured apart.

Two psutil collectors: `psutil` makes the calls that AWS's Python agent makes: all sockets once for the ports and all
TCP sockets once more for the connections, and for every row of either the name of the local interface, for which it
asks for all interfaces' addresses anew each time. `lean` asks once for the sockets and leaves the names out."""
import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import time

PSUTIL = r"""
import json, random, sys, time
import psutil
lean = sys.argv[2] == "lean"
def name_of(address):
    if lean:
        return address
    if address in ("0.0.0.0", "::"):
        return address
    for name in psutil.net_if_addrs():
        if any(one.address == address for one in psutil.net_if_addrs()[name]):
            return name
def collect(report_id):
    tcp, udp, established = [], [], []
    rows = psutil.net_connections(kind="inet")
    for c in rows:
        interface = None if lean and c.raddr else name_of(c.laddr.ip)
        if c.type == 1 and c.status == psutil.CONN_LISTEN:
            tcp.append({"port": c.laddr.port, "interface": interface})
        elif c.type == 2 and not c.raddr:
            udp.append({"port": c.laddr.port, "interface": interface})
    for c in rows if lean else psutil.net_connections(kind="tcp"):
        if c.type == 1 and c.status == psutil.CONN_ESTABLISHED:
            established.append({"remote_addr": "%s:%d" % (c.raddr.ip, c.raddr.port), "local_port": c.laddr.port,
                                "local_interface": name_of(c.laddr.ip)})
    net = psutil.net_io_counters(pernic=False)
    cut = lambda rows: random.sample(rows, 50) if len(rows) > 50 else rows
    text = json.dumps({"header": {"report_id": report_id, "version": "1.0"}, "metrics": {
        "listening_tcp_ports": {"ports": cut(tcp), "total": len(tcp)},
        "listening_udp_ports": {"ports": cut(udp), "total": len(udp)},
        "network_stats": {"bytes_in": net.bytes_recv, "bytes_out": net.bytes_sent,
                          "packets_in": net.packets_recv, "packets_out": net.packets_sent},
        "tcp_connections": {"established_connections": {"connections": cut(established), "total": len(established)}}}})
    return len(tcp), len(udp), len(established), len(text)
n = int(sys.argv[1])
collect(0)
costs = []
for i in range(n):
    begin = time.process_time_ns()
    counts = collect(i + 1)
    costs.append((time.process_time_ns() - begin) / 1000)
costs.sort()
print("psutil", costs[len(costs) // 2], *counts)
"""


def hold(connections):
    kept = []
    for kind, count in ((socket.SOCK_STREAM, 5), (socket.SOCK_DGRAM, 3)):
        for _ in range(count):
            s = socket.socket(socket.AF_INET, kind)
            s.bind(("127.0.0.1", 0))
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
    parser.add_argument("--quick", action="store_true", help="one round with few connections, as a smoke test")
    options = parser.parse_args()
    # A network namespace of its own keeps other programs' sockets out of the comparison.
    if "FLEETWARD_BENCH_ALONE" not in os.environ and subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode == 0:
        os.environ["FLEETWARD_BENCH_ALONE"] = "1"
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", sys.executable, *sys.argv])
    bench = os.path.join(options.build, "bin", "agent_bench")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    rounds = 1 if options.quick else 5
    print("CPU microseconds per collection, encoding included; ratios are medians of pairs (range)")
    print(f"{'connections':>11} {'agent':>9} {'floor':>9} {'/proc':>9} {'lean':>9} {'psutil':>9}  "
          f"{'agent/floor (A1)':>18}  {'lean/agent':>20}  psutil/agent (A2)")
    fair = True
    for connections in ((10, 100) if options.quick else (10, 1000, 10000)):
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
