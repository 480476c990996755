"""Checks of Resource: which ARNs a Task may have.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
"""

from __future__ import annotations

import re
from typing import Any

from cumulet.services.stepfunctions.asl.validation.place import Place
from cumulet.services.stepfunctions.asl.validation.report import Report
from cumulet.services.stepfunctions.tasks.vocabulary import offered

_ARN = re.compile(r"arn:[A-Za-z0-9-]+:[A-Za-z0-9-]+:[^:]*:[^:]*:.+", re.DOTALL)
_INTEGRATION = re.compile(r"arn:[a-z0-9-]+:states:[a-z0-9-]*:[0-9]*:([a-z0-9-]+):(.+)")
_SDK = re.compile(r"[a-z0-9]+:[a-zA-Z0-9]+(\.waitForTaskToken)?")
_LAMBDA = re.compile(
    r"arn:[a-z0-9-]+:lambda:[^:]*:[^:]*:function:[a-zA-Z0-9_-]+(?::(?:\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?"
)
ACTIVITY = re.compile(r"arn:[^:]+:states:[^:]+:[^:]+:activity:")

_SYNC, _TOKEN = ".sync", ".waitForTaskToken"


def _actions(text: str) -> frozenset[str]:
    """``startJob*`` stands for the action and that with ``.sync``, ``sendMessage+`` for that with a token."""
    found: set[str] = set()
    for word in text.split():
        name = word.rstrip("*+")
        found.add(name)
        if "*" in word:
            found.add(name + _SYNC)
        if "+" in word:
            found.add(name + _TOKEN)
    return frozenset(found)


_OPTIMISED: dict[str, frozenset[str]] = {
    "apigateway": _actions("invoke+"),
    "athena": _actions("startQueryExecution* stopQueryExecution getQueryExecution getQueryResults"),
    "batch": _actions("submitJob*"),
    "bedrock": _actions("invokeModel createModelCustomizationJob*"),
    "codebuild": _actions(
        "startBuild* stopBuild batchDeleteBuilds batchGetReports startBuildBatch* retryBuildBatch* stopBuildBatch "
        "deleteBuildBatch"
    ),
    "databrew": _actions("startJobRun*"),
    "dynamodb": _actions("getItem putItem deleteItem updateItem"),
    "ecs": _actions("runTask*+"),
    "eks": _actions(
        "createCluster* deleteCluster* createFargateProfile* deleteFargateProfile* createNodegroup* deleteNodegroup* "
        "runJob* call"
    ),
    "elasticmapreduce": _actions(
        "createCluster* terminateCluster* addStep* cancelStep setClusterTerminationProtection modifyInstanceFleetByName "
        "modifyInstanceGroupByName"
    ),
    "emr-containers": _actions("createVirtualCluster deleteVirtualCluster* startJobRun*"),
    "emr-serverless": _actions(
        "createApplication* startApplication* stopApplication* deleteApplication* startJobRun* cancelJobRun*"
    ),
    "events": _actions("putEvents+"),
    "glue": _actions("startJobRun*"),
    "http": _actions("invoke"),
    "lambda": _actions("invoke+"),
    "mediaconvert": _actions("createJob*"),
    "sagemaker": _actions(
        "createTrainingJob* createTransformJob* createEndpoint createEndpointConfig createHyperParameterTuningJob* "
        "createLabelingJob* createModel createProcessingJob* updateEndpoint"
    ),
    "sns": _actions("publish+"),
    "sqs": _actions("sendMessage+"),
    "states": _actions("startExecution*+") | {"startExecution.sync:2"},
}

# What the request of an integration must have, as far as AWS looks when a machine is made.
_REQUIRED: dict[str, tuple[str, ...]] = {
    "dynamodb:getItem": ("TableName", "Key"),
    "dynamodb:putItem": ("TableName", "Item"),
    "ecs:runTask": ("TaskDefinition",),
    "events:putEvents": ("Entries",),
    "glue:startJobRun": ("JobName",),
    "lambda:invoke": ("FunctionName",),
    "sns:publish": ("Message",),
    "sqs:sendMessage": ("QueueUrl", "MessageBody"),
    "states:startExecution": ("StateMachineArn",),
}


def resource(report: Report, value: Any, at: str, place: Place) -> None:
    """A Task's Resource."""
    if not isinstance(value, str):
        report.error("Expected value of type String", at)
    elif not _ARN.fullmatch(value):
        report.error("Value is not a valid resource ARN", at)
    elif not _recognized(value):
        report.error(
            f"The resource provided {value} is not recognized. The value is not a valid resource ARN, or the resource is "
            "not available in this region.",
            at,
        )
    elif place.kind == "EXPRESS":
        _express(report, value, at)


def _recognized(value: str) -> bool:
    if ACTIVITY.match(value):
        return True
    found = _INTEGRATION.fullmatch(value)
    if found is not None:
        service, action = found.groups()
        if service == "aws-sdk":
            called = _SDK.fullmatch(action)
            return called is not None and offered(*action.removesuffix(_TOKEN).split(":"))
        return action in _OPTIMISED.get(service, ())
    if ":lambda:" in value and ":function:" in value:
        return _LAMBDA.fullmatch(value) is not None
    return True


def _express(report: Report, value: str, at: str) -> None:
    if ACTIVITY.match(value):
        report.error("Express state machine does not support Activity ARN", at)
    elif value.endswith(_TOKEN):
        # The blank at the end is AWS's.
        report.error("Express state machine does not support '.waitForTaskToken' service integration ", at)
    elif value.endswith((_SYNC, ".sync:2")):
        report.error("Express state machine does not support '.sync' service integration", at)


def task(report: Report, state: dict[str, Any], at: str, place: Place) -> None:
    """What a Task with this resource must and must not have besides."""
    value = state.get("Resource")
    if not isinstance(value, str):
        return
    if ACTIVITY.match(value) and "Credentials" in state:
        report.error("The field 'Credentials' is not supported for activities", f"{at}/Credentials")
    found = _INTEGRATION.fullmatch(value)
    if found is None or found.group(1) not in _OPTIMISED:
        return
    field = "Arguments" if place.jsonata else "Parameters"
    request = state.get(field)
    if field not in state:
        report.error(f"{field} field is required for resource ARN: {value}", at)
    elif isinstance(request, dict):
        action = found.group(2).removesuffix(":2").removesuffix(_SYNC).removesuffix(_TOKEN)
        for name in _REQUIRED.get(f"{found.group(1)}:{action}", ()):
            if name not in request and f"{name}.$" not in request:
                report.error(f"The field '{name}' is required but was missing", f"{at}/{field}")
