"""The tour of the iot and sns API: one description, run by three stock clients (boto3, the JavaScript SDK v3, aws-cli).

A module of this package describes a family of operations:

    SETTINGS = {"quota.groups_per_thing": "2"}        # of the server; optional
    def prepare(folder, iot): return {"csr": …}       # values for <<csr>>; optional, runs before the steps
    STEPS = [ok("CreateThing", {"thingName": "lamp"}, {"thingArn": "<<arn>>:thing/lamp"}, save={"lamp": "thingId"}),
             fails("ResourceNotFoundException", "DescribeThing", {"thingName": "nobody"}, says="nobody")]

The modules of this folder are of iot, those of the folder sns/ of sns. They run in the order of their names, a service's
on one server; each uses names of its own. Exceptions have the names of the service's model. `description()` is a service's
whole tour as plain data, so that a client in any language can run it; `coverage` says what a run has missed.
"""
import importlib
import pkgutil

ACCOUNT = "123456789012"
ARN = f"arn:aws:iot:us-east-1:{ACCOUNT}"

ANY = {"is": "present"}
ABSENT = {"is": "absent"}


def has(value):
    """A list that holds the value, or a text that contains it."""
    return {"has": value}


def count(number):
    return {"count": number}


def ok(operation, parameters=None, expect=None, save=None, within=0):
    """A call that succeeds. `expect`: path in the answer ("things.0.thingName") to a value, ANY, ABSENT, has() or
    count(). `save`: name of a variable to a path. `within`: seconds for which it is tried again until it is so."""
    return {"operation": operation, "parameters": parameters or {}, "expect": expect or {}, "save": save or {},
            "within": within, "error": None, "says": ""}


def fails(error, operation, parameters=None, says=""):
    """A call that gets this exception, and a message that contains `says`."""
    return {"operation": operation, "parameters": parameters or {}, "expect": {}, "save": {}, "within": 0,
            "error": error, "says": says}


def arrives(kind, expect=None, save=None, within=30):
    """No call: what the endpoint <<hook>> (a Hook with a folder, which is <<arrived>>) got last of a x-amz-sns-message-type."""
    return {"operation": None, "file": f"<<arrived>>/{kind}.json", "expect": expect or {}, "save": save or {},
            "within": within, "error": None, "says": ""}


def modules(service):
    package = importlib.import_module({"iot": __name__, "sns": f"{__name__}.sns"}[service])
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg)
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names if not name.startswith("_")]


def settings(service="iot"):
    merged = {}
    for module in modules(service):
        for key, value in getattr(module, "SETTINGS", {}).items():
            assert merged.setdefault(key, value) == value, f"{module.__name__} wants another {key}"
    return merged


def description(folder, client, service="iot", **given):
    """Variables and steps of the whole tour of a service. `folder` is a pathlib.Path for what is made on the way, `client`
    a boto3 client of the server that the tour is for, `given` more variables."""
    variables, steps = {"arn": ARN.replace(":iot:", f":{service}:"), "account": ACCOUNT, **given}, []
    for module in modules(service):
        place = folder / module.__name__.rpartition(".")[2]
        place.mkdir()
        variables.update(getattr(module, "prepare", lambda *_: {})(place, client))
        for number, step in enumerate(module.STEPS):
            steps.append({**step, "name": f"{place.name}[{number}] {step['operation'] or step['file']}"})
    return {"variables": variables, "steps": steps}
