"""docs/threat-model.md speaks of every attack, and of tests that exist."""
import os
import re

from repository import read, walk

PAGE = read("docs/threat-model.md")
ATTACKS = dict(re.findall(r"^\| ([a-z]) \| .* \| (.*) \|$", PAGE, re.M))


def gtests():
    found = set()
    for path in walk("src", "_test.cc"):
        for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", read(path), re.M):
            found.add(f"{suite}.{name}")
    return found


def pytests():
    found = set()
    for path in walk("tests", ".py"):
        for name in re.findall(r"^def (test_\w+)", read(path), re.M):
            found.add(f"{os.path.basename(path)}::{name}")
    return found


def test_every_attack_has_its_row_and_a_test():
    assert sorted(ATTACKS) == list("abcdefghijklmnopqrstuvw")
    assert all(re.search(r"`.+`", tests) for tests in ATTACKS.values())


def test_the_named_tests_exist():
    known = gtests() | pytests() | {os.path.basename(path) for path in walk("tests/scenarios", ".txt")}
    named = {name for tests in ATTACKS.values() for name in re.findall(r"`([^`]+)`", tests)}
    assert named and not named - known
