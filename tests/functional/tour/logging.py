"""Logging options, old and fine-grained."""
from . import ABSENT, count, fails, ok

SETTINGS = {"quota.log_levels": "3"}

INVALID, NOT_CONFIGURED = "InvalidRequestException", "NotConfiguredException"
ROLE = "arn:aws:iam::123456789012:role/logs"


def level(name, value="DEBUG", kind="THING_GROUP"):
    return {"logTarget": {"targetType": kind, "targetName": name}, "logLevel": value}


STEPS = [
    ok("GetLoggingOptions", {}, {"logLevel": "DISABLED", "roleArn": ABSENT}),
    ok("SetLoggingOptions", {"loggingOptionsPayload": {"roleArn": ROLE, "logLevel": "WARN"}}),
    ok("GetLoggingOptions", {}, {"logLevel": "WARN", "roleArn": ROLE}),
    fails(INVALID, "SetLoggingOptions", {"loggingOptionsPayload": {"roleArn": ROLE, "logLevel": "LOUD"}}, says="logLevel"),

    fails(NOT_CONFIGURED, "GetV2LoggingOptions", {}, says="SetV2LoggingOptions"),
    fails(NOT_CONFIGURED, "SetV2LoggingLevel", level("g"), says="SetV2LoggingOptions"),
    fails(NOT_CONFIGURED, "ListV2LoggingLevels", {}, says="SetV2LoggingOptions"),
    fails(INVALID, "SetV2LoggingOptions", {"defaultLogLevel": "INFO"}, says="roleArn"),
    ok("SetV2LoggingOptions", {"roleArn": ROLE, "defaultLogLevel": "INFO"}),
    ok("GetV2LoggingOptions", {}, {"roleArn": ROLE, "defaultLogLevel": "INFO", "disableAllLogs": False}),
    ok("SetV2LoggingOptions", {"disableAllLogs": True}),
    ok("GetV2LoggingOptions", {}, {"roleArn": ROLE, "defaultLogLevel": "INFO", "disableAllLogs": True}),
    fails(INVALID, "SetV2LoggingOptions", {"roleArn": "short"}, says="roleArn"),
    ok("SetV2LoggingLevel", level("g1")),
    ok("SetV2LoggingLevel", level("g1", "ERROR")),
    ok("SetV2LoggingLevel", level("client", "INFO", "CLIENT_ID")),
    ok("SetV2LoggingLevel", level("192.0.2.1", "INFO", "SOURCE_IP")),
    fails("LimitExceededException", "SetV2LoggingLevel", level("g2"), says="already 3 log levels"),
    fails(INVALID, "SetV2LoggingLevel", {"logTarget": {"targetType": "THING_GROUP"}, "logLevel": "INFO"}, says="targetName"),
    fails(INVALID, "SetV2LoggingLevel", level("g1", "LOUD"), says="logLevel"),
    ok("SetV2LoggingLevel", {"logTarget": {"targetType": "DEFAULT"}, "logLevel": "WARN"}),
    ok("GetV2LoggingOptions", {}, {"defaultLogLevel": "WARN"}),
    ok("ListV2LoggingLevels", {}, {"logTargetConfigurations": [
        {"logTarget": {"targetType": "DEFAULT"}, "logLevel": "WARN"},
        {"logTarget": {"targetType": "CLIENT_ID", "targetName": "client"}, "logLevel": "INFO"},
        {"logTarget": {"targetType": "SOURCE_IP", "targetName": "192.0.2.1"}, "logLevel": "INFO"},
        {"logTarget": {"targetType": "THING_GROUP", "targetName": "g1"}, "logLevel": "ERROR"}], "nextToken": ABSENT}),
    ok("ListV2LoggingLevels", {"targetType": "THING_GROUP"}, {"logTargetConfigurations": count(1)}),
    ok("ListV2LoggingLevels", {"maxResults": 1}, {"logTargetConfigurations": count(1)}, save={"levels": "nextToken"}),
    ok("ListV2LoggingLevels", {"maxResults": 3, "nextToken": "<<levels>>"},
       {"logTargetConfigurations": count(3), "logTargetConfigurations.0.logTarget.targetType": "CLIENT_ID", "nextToken": ABSENT}),
    fails(INVALID, "ListV2LoggingLevels", {"maxResults": 0}, says="maxResults"),
    ok("DeleteV2LoggingLevel", {"targetType": "THING_GROUP", "targetName": "g1"}),
    ok("DeleteV2LoggingLevel", {"targetType": "THING_GROUP", "targetName": "g1"}),
    ok("ListV2LoggingLevels", {"targetType": "THING_GROUP"}, {"logTargetConfigurations": []}),
    fails(INVALID, "DeleteV2LoggingLevel", {"targetType": "DEFAULT", "targetName": "x"}, says="DEFAULT"),
    fails(INVALID, "DeleteV2LoggingLevel", {"targetType": "NOTHING", "targetName": "x"}, says="targetType"),
]
