"""docs/wire-compatibility.md says what a running server offers."""
import os
import re
import urllib.request

from support.paths import ROOT


def test_the_page_names_the_operations_of_a_running_server(make_shared):
    fw = make_shared()
    with urllib.request.urlopen(f"http://127.0.0.1:{fw.metrics_port}/metrics", timeout=10) as answer:
        offered = set(re.findall(r'fleetward_api_calls_total\{operation="([^"]+)"', answer.read().decode()))
    with open(os.path.join(ROOT, "docs", "wire-compatibility.md"), encoding="utf-8") as file:
        page = file.read().split("## Operations", 1)[1]
    listed = set()
    for section in page.split("\n### ")[1:]:
        service = section.split(":", 1)[0]
        listed |= {f"{service}:{name}" for name in re.findall(r"^\| (\w+) \| (?:works|differs) \|", section, re.M)}
    assert listed and listed == offered
