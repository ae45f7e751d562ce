"""scripts/packages.txt and docs/dependencies.md name the same packages, each once."""
import re

from repository import read


def listed():
    lines = [line.split() for line in read("scripts/packages.txt").splitlines() if line and not line.startswith("#")]
    assert all(len(words) == 2 and words[0] in ("build", "run", "test") for words in lines)
    return [words[1] for words in lines]


def explained():
    """First cells of the table; notes in brackets and words like "headers" are not packages."""
    cells = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", read("docs/dependencies.md"), re.M)[2:]
    return [name.strip() for cell in cells for name in cell.split(",")]


def test_no_package_is_named_twice():
    for names in (listed(), explained()):
        assert sorted(names) == sorted(set(names))


def test_both_name_the_same():
    # Unpacked by scripts/bootstrap beside the others, not installed.
    assert set(explained()) - {"libboost1.81 headers"} == set(listed())
