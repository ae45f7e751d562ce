"""The happy path of the tour (tour/) by Debian's aws-cli. A call of the program costs 0.8 s, nearly all of it for starting
python and reading models: its driver, the code behind /usr/bin/aws, runs all steps in one process here, and the program
itself one step of each family."""
import json
import pathlib
import subprocess

import botocore
import pytest

import tour
from support.fleetward import clean_environment
from tour import _coverage, _run

DRIVER = pathlib.Path(__file__).parents[1] / "support" / "cli_driver.py"


class Cli:
    def __init__(self, fw, service):
        environment = clean_environment(AWS_SHARED_CREDENTIALS_FILE=fw.credentials_file, AWS_EC2_METADATA_DISABLED="true",
                                        AWS_PAGER="", AWS_MAX_ATTEMPTS="1", HOME=fw.scratch)
        self.process = subprocess.Popen(["/usr/bin/python3", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        cwd=fw.scratch, env=environment)
        self.common = ["--endpoint-url", fw.endpoint["api"], "--ca-bundle", fw.ca, "--profile", "fleetward",
                       "--region", "us-east-1", "--output", "json", "--no-paginate", service]

    def __call__(self, operation, parameters):
        arguments = [*self.common, botocore.xform_name(operation, "-"), "--cli-input-json", json.dumps(parameters)]
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if answer["status"] != 0:
            raise _run.Failed(f"exit {answer['status']}", answer["err"])
        return json.loads(answer["out"] or "{}")

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)


@pytest.mark.parametrize("service", ["iot", "sns"])
def test_the_happy_path(make, tmp_path, kept_hook, service):
    fw = make(tour.settings(service))
    cli = Cli(fw, service)
    try:
        seen = _run.run(cli, tour.description(tmp_path, fw.client(service), service, **kept_hook), errors=False)
    finally:
        cli.end()
    assert _coverage.missing(seen, errors=False, service=service) == []


def test_the_program_itself(make):
    fw = make()
    fw.aws("iot", "create-billing-group", "--billing-group-name", "b", "--tags", "Key=k,Value=v")
    arn = fw.aws("iot", "describe-billing-group", "--billing-group-name", "b")["billingGroupArn"]
    assert fw.aws("iot", "list-tags-for-resource", "--resource-arn", arn)["tags"] == [{"Key": "k", "Value": "v"}]
    fw.aws("iot", "update-event-configurations", "--event-configurations", "THING={Enabled=true}")
    assert fw.aws("iot", "describe-event-configurations")["eventConfigurations"]["THING"] == {"Enabled": True}
    template = {"Parameters": {"Name": {"Type": "String"}},
                "Resources": {"t": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}}}}
    made = fw.aws("iot", "register-thing", "--template-body", json.dumps(template), "--parameters", "Name=lamp")
    assert made["resourceArns"] == {"t": "arn:aws:iot:us-east-1:123456789012:thing/lamp"}
    refused = fw.aws("iot", "get-v2-logging-options", check=False)
    assert refused.returncode == 254 and "NotConfiguredException" in refused.stderr
