"""What Fleetward takes from the service models: families of operations, and who may call each.

A family becomes one header and one source. Operations that are not named here get a routing entry that answers
"not offered".
"""

_DETECT = """
AttachSecurityProfile CreateSecurityProfile DeleteSecurityProfile DescribeSecurityProfile DetachSecurityProfile
GetBehaviorModelTrainingSummaries ListActiveViolations ListMetricValues ListSecurityProfiles
ListSecurityProfilesForTarget ListTargetsForSecurityProfile ListViolationEvents PutVerificationStateOnViolation
UpdateSecurityProfile ValidateSecurityProfileBehaviors
CreateCustomMetric DeleteCustomMetric DescribeCustomMetric ListCustomMetrics UpdateCustomMetric
CreateDimension DeleteDimension DescribeDimension ListDimensions UpdateDimension
"""

_AUDIT = """
DescribeAccountAuditConfiguration UpdateAccountAuditConfiguration DeleteAccountAuditConfiguration
StartOnDemandAuditTask CancelAuditTask DescribeAuditTask ListAuditTasks
CreateScheduledAudit DescribeScheduledAudit UpdateScheduledAudit DeleteScheduledAudit ListScheduledAudits
DescribeAuditFinding ListAuditFindings ListRelatedResourcesForAuditFinding
CreateAuditSuppression DescribeAuditSuppression UpdateAuditSuppression DeleteAuditSuppression ListAuditSuppressions
"""

_MITIGATION = """
CreateMitigationAction DescribeMitigationAction UpdateMitigationAction DeleteMitigationAction ListMitigationActions
StartAuditMitigationActionsTask CancelAuditMitigationActionsTask DescribeAuditMitigationActionsTask
ListAuditMitigationActionsTasks ListAuditMitigationActionsExecutions
StartDetectMitigationActionsTask CancelDetectMitigationActionsTask DescribeDetectMitigationActionsTask
ListDetectMitigationActionsTasks ListDetectMitigationActionsExecutions
"""

_THINGS = """
CreateThing DescribeThing UpdateThing DeleteThing ListThings
AttachThingPrincipal DetachThingPrincipal ListThingPrincipals ListPrincipalThings
CreateThingType DescribeThingType DeprecateThingType DeleteThingType ListThingTypes RegisterThing
"""

_GROUPS = """
CreateThingGroup DescribeThingGroup UpdateThingGroup DeleteThingGroup ListThingGroups
AddThingToThingGroup RemoveThingFromThingGroup ListThingGroupsForThing ListThingsInThingGroup
UpdateThingGroupsForThing CreateDynamicThingGroup UpdateDynamicThingGroup DeleteDynamicThingGroup
CreateBillingGroup DescribeBillingGroup UpdateBillingGroup DeleteBillingGroup ListBillingGroups
AddThingToBillingGroup RemoveThingFromBillingGroup ListThingsInBillingGroup
"""

_CERTIFICATES = """
CreateKeysAndCertificate CreateCertificateFromCsr RegisterCertificate RegisterCertificateWithoutCA
DescribeCertificate UpdateCertificate DeleteCertificate ListCertificates ListCertificatesByCA
RegisterCACertificate DescribeCACertificate UpdateCACertificate DeleteCACertificate ListCACertificates
GetRegistrationCode DeleteRegistrationCode
"""

_POLICIES = """
CreatePolicy GetPolicy DeletePolicy ListPolicies
CreatePolicyVersion GetPolicyVersion DeletePolicyVersion ListPolicyVersions SetDefaultPolicyVersion
AttachPolicy DetachPolicy ListAttachedPolicies ListTargetsForPolicy
AttachPrincipalPolicy DetachPrincipalPolicy ListPrincipalPolicies ListPolicyPrincipals
GetEffectivePolicies TestAuthorization
"""

_INDEX = """
GetIndexingConfiguration UpdateIndexingConfiguration DescribeIndex ListIndices SearchIndex
GetStatistics GetCardinality GetPercentiles GetBucketsAggregation
"""

_ACCOUNT = """
DescribeEndpoint TagResource UntagResource ListTagsForResource
GetLoggingOptions SetLoggingOptions GetV2LoggingOptions SetV2LoggingOptions
SetV2LoggingLevel DeleteV2LoggingLevel ListV2LoggingLevels
DescribeEventConfigurations UpdateEventConfigurations
CreateRoleAlias DescribeRoleAlias UpdateRoleAlias DeleteRoleAlias ListRoleAliases
"""

_SNS = """
CreateTopic DeleteTopic ListTopics GetTopicAttributes SetTopicAttributes
Subscribe ConfirmSubscription Unsubscribe ListSubscriptions ListSubscriptionsByTopic
GetSubscriptionAttributes SetSubscriptionAttributes Publish PublishBatch
AddPermission RemovePermission TagResource UntagResource ListTagsForResource
"""

# service -> namespace, folder of the model, SHA-256 of the pinned model, families
SERVICES = {
    "iot": {
        "namespace": "iot",
        "model": "iot/2015-05-28",
        "sha256": "e0f09e6e22b4adedc1f8bea5f61ff5ca505bbfbd25959a3b785ea0dfe46c5781",
        "families": {
            "detect": _DETECT, "audit": _AUDIT, "mitigation": _MITIGATION, "things": _THINGS, "groups": _GROUPS,
            "certificates": _CERTIFICATES, "policies": _POLICIES, "index": _INDEX, "account": _ACCOUNT,
        },
    },
    "iot-data": {
        "namespace": "iot_data",
        "model": "iot-data/2015-05-28",
        "sha256": "99e18019a2a1095090ce9b9516fccbd7b7092d0c857918188d38777b714c065d",
        "families": {"messages": "Publish GetRetainedMessage ListRetainedMessages DeleteConnection"},
    },
    "sns": {
        "namespace": "sns",
        "model": "sns/2010-03-31",
        "sha256": "21c8de376a930916d1200199b65411d95df6bded6d0093757e1c4b43bcab20f0",
        "families": {"sns": _SNS},
    },
    "sts": {
        "namespace": "sts",
        "model": "sts/2011-06-15",
        "sha256": "0ff0aea8cbb566792c69fa2b5a7936933901aa764f023c174e33ed0b22c2cf10",
        "families": {"sts": "GetCallerIdentity"},
    },
}

_READ_PREFIXES = ("Describe", "Get", "List", "Search", "Validate", "Test")

# What an operator does in the course of a day, without changing what is normal: judge alarms, start and stop tasks,
# cut a device off, send a message.
_ACTS = set("""
PutVerificationStateOnViolation StartOnDemandAuditTask CancelAuditTask
StartAuditMitigationActionsTask CancelAuditMitigationActionsTask
StartDetectMitigationActionsTask CancelDetectMitigationActionsTask
CreateAuditSuppression UpdateAuditSuppression DeleteAuditSuppression
UpdateCertificate AddThingToThingGroup RemoveThingFromThingGroup UpdateThingGroupsForThing
Publish PublishBatch DeleteConnection
""".split())


def access_of(operation: str) -> str:
    """Read, Act or Configure. Whatever is not known to be harmless is configuration."""
    if operation.startswith(_READ_PREFIXES):
        return "Read"
    return "Act" if operation in _ACTS else "Configure"
