#!/usr/bin/env python3
"""Writes src/api/generated from the pinned service models.

    tools/apigen/generate.py            writes the files
    tools/apigen/generate.py --check    compares them with what is committed; exits 77 when the pinned model is absent
"""

import argparse
import pathlib
import sys

import emit
import model

OUT = pathlib.Path(__file__).resolve().parents[2] / "src" / "api" / "generated"


def generate(services):
    """{path: text} of all generated files."""
    emitters = [emit.Emitter(service) for service in services]
    files = {}
    for emitter in emitters:
        files.update(emitter.files())
    files.update(emit.shared_files(emitters))
    return files


def committed():
    return {p for p in OUT.rglob("*") if p.suffix in (".h", ".cc") and "_test" not in p.name}


def check(files):
    wrong = [str(p) for p in committed() if str(p.relative_to(OUT)) not in files]
    for name, text in files.items():
        path = OUT / name
        if not path.is_file() or path.read_text() != text:
            wrong.append(str(path))
    for path in wrong:
        print(f"differs from what the generator writes: {path}", file=sys.stderr)
    return 1 if wrong else 0


def write(files):
    for path in committed():
        if str(path.relative_to(OUT)) not in files:
            path.unlink()
    for name, text in files.items():
        path = OUT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
    print(f"{len(files)} files in {OUT}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    try:
        services = model.load()
    except model.ModelMissing as missing:
        print(missing, file=sys.stderr)
        return 77 if arguments.check else 1
    files = generate(services)
    if arguments.check:
        return check(files)
    write(files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
