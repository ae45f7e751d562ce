#!/usr/bin/env python3
"""Tests of the generator: naming rules, and a small made-up model whose whole output is compared with golden/.

    tools/apigen/test_apigen.py             runs the tests
    tools/apigen/test_apigen.py --refresh   rewrites golden/
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import cpp_types  # noqa: E402
import emit  # noqa: E402
import generate  # noqa: E402
import model  # noqa: E402
import scope  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"

PUMPS = {
    "metadata": {"protocol": "rest-json"},
    "operations": {
        "CreatePump": {
            "http": {"method": "POST", "requestUri": "/pumps/{pumpName}"},
            "input": {"shape": "CreatePumpRequest"}, "output": {"shape": "CreatePumpResponse"},
            "errors": [{"shape": "InvalidRequestException"}],
        },
        "ListPumps": {
            "http": {"method": "GET", "requestUri": "/pumps"},
            "input": {"shape": "ListPumpsRequest"}, "output": {"shape": "ListPumpsResponse"},
        },
        "BlowUpPump": {"http": {"method": "DELETE", "requestUri": "/pumps/{pumpName}"}},
    },
    "shapes": {
        "InvalidRequestException": {"type": "structure", "members": {}, "exception": True},
        "PumpName": {"type": "string", "min": 1, "max": 8, "pattern": "[\\p{Graph}]+"},
        "PumpKind": {"type": "string", "enum": ["in-line", "SUMP_PUMP"]},
        "Pressure": {"type": "double", "min": 0.5},
        "Kinds": {"type": "list", "member": {"shape": "PumpKind"}, "max": 2},
        "Limits": {"type": "map", "key": {"shape": "PumpKind"}, "value": {"shape": "Pressure"}},
        "Pump": {"type": "structure", "required": ["pumpName"], "members": {
            "pumpName": {"shape": "PumpName"}, "default": {"shape": "PumpKind"}, "limits": {"shape": "Limits"}}},
        "Pumps": {"type": "list", "member": {"shape": "Pump"}},
        "CreatePumpRequest": {"type": "structure", "required": ["pumpName", "principal"], "members": {
            "pumpName": {"shape": "PumpName", "location": "uri", "locationName": "pumpName"},
            "principal": {"shape": "PumpName", "location": "header", "locationName": "x-principal"},
            "kinds": {"shape": "Kinds"}, "pump": {"shape": "Pump"}}},
        "CreatePumpResponse": {"type": "structure", "members": {"pump": {"shape": "Pump"}}},
        "ListPumpsRequest": {"type": "structure", "members": {
            "maxResults": {"shape": "Max", "location": "querystring", "locationName": "maxResults"}}},
        "ListPumpsResponse": {"type": "structure", "members": {"pumps": {"shape": "Pumps"}}},
        "Max": {"type": "integer", "min": 1, "max": 250},
    },
}


def pump_files():
    service = model.Service("pumps", PUMPS, "pumps", {"making": "CreatePump", "listing": "ListPumps"})
    return generate.generate([service])


class Naming(unittest.TestCase):
    def test_members(self):
        for wire, name in (("thingName", "thing_name"), ("caCertificatePem", "ca_certificate_pem"),
                           ("CACertificate", "ca_certificate"), ("operator", "operator_"), ("TopicArn", "topic_arn"),
                           ("mlDetectionConfig", "ml_detection_config"), ("PublicKey", "public_key")):
            self.assertEqual(cpp_types.snake(wire), name)

    def test_constants(self):
        for wire, name in (("TRUE_POSITIVE", "kTruePositive"), ("in-cidr-set", "kInCidrSet"), ("ALL", "kAll"),
                           ("ThingName", "kThingName")):
            self.assertEqual(cpp_types.constant(wire), name)

    def test_patterns(self):
        self.assertEqual(cpp_types.re2_pattern("[\\p{Graph}\\x20]*"), "[[:graph:]\\x20]*")


class Overlay(unittest.TestCase):
    def test_merge(self):
        self.assertEqual(model.merge({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}, "c": 4}),
                         {"a": {"b": 1, "d": 3}, "c": 4})

    def test_unknown_operations_are_refused(self):
        with self.assertRaises(ValueError):
            model.Service("pumps", PUMPS, "pumps", {"making": "CreatePmup"})


class Scope(unittest.TestCase):
    def test_access(self):
        self.assertEqual(scope.access_of("ListThings"), "Read")
        self.assertEqual(scope.access_of("PutVerificationStateOnViolation"), "Act")
        self.assertEqual(scope.access_of("SomethingNew"), "Configure")

    def test_counts(self):
        count = sum(len(words.split()) for words in scope.SERVICES["iot"]["families"].values())
        self.assertEqual(count, 60 + 98)
        self.assertEqual(len(scope.SERVICES["sns"]["families"]["sns"].split()), 19)


class Golden(unittest.TestCase):
    maxDiff = None

    def test_whole_output(self):
        files = pump_files()
        self.assertEqual({str(p.relative_to(GOLDEN)) for p in GOLDEN.rglob("*") if p.is_file()},
                         {name + ".golden" for name in files})
        for name, text in files.items():
            self.assertEqual((GOLDEN / (name + ".golden")).read_text(), text, name)

    def test_recursion_is_refused(self):
        shapes = {**PUMPS["shapes"], "Pump": {"type": "structure", "members": {"inner": {"shape": "Pump"}}}}
        service = model.Service("pumps", {**PUMPS, "shapes": shapes}, "pumps", {"making": "CreatePump"})
        with self.assertRaises(ValueError):
            emit.Emitter(service).files()


if __name__ == "__main__":
    if "--refresh" in sys.argv:
        for old in GOLDEN.rglob("*.golden"):
            old.unlink()
        for file_name, file_text in pump_files().items():
            path = GOLDEN / (file_name + ".golden")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file_text)
    else:
        unittest.main()
