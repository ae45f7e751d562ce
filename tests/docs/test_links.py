"""The pages name only what is there: files, folders, tests."""
import os
import re

import pytest

from repository import ROOT, pages, read

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
QUOTED = re.compile(r"`([^`\n]+)`")
# A path of the repository, as pages write it: it begins with one of the top folders.
TOP = "bench|cmake|docs|examples|fuzz|packaging|scripts|src|tests|tools|console"
PATH = re.compile(rf"^(?:{TOP})/[\w./*-]*[\w*/]$")


def exists(path):
    if "*" in path:
        folder, pattern = os.path.split(path)
        if "*" in folder:
            return True
        wanted = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        return os.path.isdir(os.path.join(ROOT, folder)) and any(
            wanted.fullmatch(name) for name in os.listdir(os.path.join(ROOT, folder)))
    path = os.path.join(ROOT, path)
    # A test or program may be named without its ending.
    return os.path.exists(path) or any(os.path.exists(path + end) for end in (".cc", ".h", ".py"))


@pytest.mark.parametrize("page", pages())
def test_what_a_page_names_exists(page):
    text = read(page)
    missing = []
    for link in LINK.findall(text):
        if "://" not in link and not os.path.exists(os.path.join(ROOT, os.path.dirname(page), link)):
            missing.append(link)
    for code in QUOTED.findall(text):
        for word in code.split():
            word = word.rstrip(".,:;")
            if PATH.match(word) and "NAME" not in word and not exists(word):
                missing.append(word)
    assert not missing


def test_every_page_is_reached_from_the_readme_or_another_page():
    texts = {page: read(page) for page in pages()}
    lost = [page for page in texts if page.startswith("docs/")
            and not any(os.path.basename(page) in text for other, text in texts.items() if other != page)]
    assert not lost


def test_readme_lists_the_folders_of_the_tree():
    section = read("README.md").split("## The repository", 1)[1].split("\n## ", 1)[0]
    listed = set(re.findall(r"^\| `([\w]+)/` \|", section, re.M))
    there = {name for name in os.listdir(ROOT) if os.path.isdir(os.path.join(ROOT, name)) and not name.startswith(".")}
    assert listed == there - {"build", "var"}


def test_architecture_lists_every_module():
    section = read("docs/architecture.md").split("## Modules", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`.+?`) \|", section, re.M)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    listed |= {"agent", "plugin", "supervise"}  # in the table of programs
    assert listed == set(os.listdir(os.path.join(ROOT, "src")))
