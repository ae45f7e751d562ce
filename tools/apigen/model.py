"""Front: reads the pinned service models, lays overlay.json over them, and checks what the generator relies on."""

import hashlib
import json
import pathlib

import scope

HERE = pathlib.Path(__file__).resolve().parent


class ModelMissing(Exception):
    """No model with the pinned digest is installed."""


def find_models() -> pathlib.Path:
    """Folder of Debian's python3-botocore models (other copies of botocore are never taken)."""
    folder = pathlib.Path("/usr/lib/python3/dist-packages/botocore/data")
    if not folder.is_dir():
        raise ModelMissing(f"{folder} is not there: install python3-botocore")
    return folder


def merge(base, extra):
    """Lays `extra` over `base`: objects are merged, everything else is replaced."""
    if isinstance(base, dict) and isinstance(extra, dict):
        result = dict(base)
        for key, value in extra.items():
            result[key] = merge(base[key], value) if key in base else value
        return result
    return extra


class Service:
    """One service's model with the overlay applied."""

    def __init__(self, name, raw, namespace, families):
        self.name = name
        self.namespace = namespace
        self.shapes = raw["shapes"]
        self.operations = raw["operations"]
        self.protocol = raw["metadata"]["protocol"]
        self.families = {family: words.split() for family, words in families.items()}
        for family, operations in self.families.items():
            for operation in operations:
                if operation not in self.operations:
                    raise ValueError(f"{name}: the model has no operation {operation} (family {family})")

    def offered(self):
        return [op for operations in self.families.values() for op in operations]

    def not_offered(self):
        offered = set(self.offered())
        return [op for op in sorted(self.operations) if op not in offered]


def load(folder=None):
    """All services in scope. Raises ModelMissing when a pinned model is absent or differs."""
    folder = folder or find_models()
    overlay = json.loads((HERE / "overlay.json").read_text())
    services = []
    for name, spec in scope.SERVICES.items():
        path = folder / spec["model"] / "service-2.json"
        if not path.is_file():
            raise ModelMissing(f"{path} is not there")
        raw = path.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        if digest != spec["sha256"]:
            raise ModelMissing(f"{path} has SHA-256 {digest}, the pinned model has {spec['sha256']}")
        model = merge(json.loads(raw), overlay.get(name, {}))
        services.append(Service(name, model, spec["namespace"], spec["families"]))
    return services
