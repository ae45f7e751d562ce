"""Event configurations, and DescribeEndpoint."""
from . import ABSENT, ANY, fails, ok

STEPS = [
    ok("DescribeEventConfigurations", {}, {"eventConfigurations.THING.Enabled": False,
                                           "eventConfigurations.CA_CERTIFICATE.Enabled": False, "creationDate": ABSENT}),
    ok("UpdateEventConfigurations", {"eventConfigurations": {"THING": {"Enabled": True}, "POLICY": {"Enabled": True}}}),
    ok("DescribeEventConfigurations", {}, {"eventConfigurations.THING.Enabled": True,
                                           "eventConfigurations.THING_GROUP.Enabled": False,
                                           "creationDate": ANY, "lastModifiedDate": ANY}),
    ok("UpdateEventConfigurations", {"eventConfigurations": {"THING": {"Enabled": False}}}),
    ok("DescribeEventConfigurations", {}, {"eventConfigurations.THING.Enabled": False,
                                           "eventConfigurations.POLICY.Enabled": True}),
    fails("InvalidRequestException", "UpdateEventConfigurations", {"eventConfigurations": {"NOTHING": {"Enabled": True}}},
          says="eventConfigurations"),

    ok("DescribeEndpoint", {}, {"endpointAddress": ANY}, save={"endpoint": "endpointAddress"}),
    ok("DescribeEndpoint", {"endpointType": "iot:Data-ATS"}, {"endpointAddress": "<<endpoint>>"}),
    ok("DescribeEndpoint", {"endpointType": "iot:Jobs"}, {"endpointAddress": ANY}),
    fails("InvalidRequestException", "DescribeEndpoint", {"endpointType": "iot:Nothing"}, says="endpointType"),
]
