"""The checked-out tree, for tests that look at it."""
import os

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def walk(folder, ending):
    """Paths below `folder` with that ending, from the root, sorted."""
    found = []
    for where, folders, names in os.walk(os.path.join(ROOT, folder)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.relpath(os.path.join(where, name), ROOT) for name in names if name.endswith(ending)]
    return sorted(found)


def pages():
    return [name for name in ("README.md", "CHANGELOG.md") if os.path.exists(os.path.join(ROOT, name))] + walk("docs", ".md")
