"""What the Resource of a Task state names. Pure: the validator uses it too."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from cumulet.api.model import load
from cumulet.services.stepfunctions.tasks.vocabulary import SERVICES, operation_name

Pattern = Literal["request", "sync", "token"]
Family = Literal["lambda", "activity", "service", "sdk"]


class Resource(Struct, frozen=True):
    """A Task's Resource in parts.

    `family`: `lambda` (a function's ARN), `activity` (an activity's ARN), `service` (an optimised integration) or `sdk`.
    `service` and `action` are as written (`sqs`, `sendMessage`; `dynamodb`, `putItem` for `aws-sdk:dynamodb:putItem`).
    `pattern` tells what ends the task: the answer, the end of the job (`.sync`), or whoever has its token. `sync` is the
    version of `.sync`: 1 or 2. `region` and `account` are those of an ARN that has them.
    """

    arn: str
    family: Family
    service: str = ""
    action: str = ""
    pattern: Pattern = "request"
    sync: int = 0
    region: str = ""
    account: str = ""

    @property
    def shown(self) -> str:
        """`resource` in the history: `sendMessage.waitForTaskToken`."""
        if self.family in ("lambda", "activity"):
            return self.arn
        return self.arn.split(":", 5)[5].removeprefix("aws-sdk:").partition(":")[2]

    @property
    def type(self) -> str:
        """`resourceType` in the history: `sqs`, `aws-sdk:dynamodb`, `lambda`, `activity`."""
        if self.family == "sdk":
            return f"aws-sdk:{self.service}"
        return self.service if self.family == "service" else self.family


_ACTION = re.compile(r"[a-z][A-Za-z0-9]*", re.ASCII)
_SUFFIXES: dict[str, tuple[Pattern, int]] = {
    "": ("request", 0),
    "sync": ("sync", 1),
    "sync:2": ("sync", 2),
    "waitForTaskToken": ("token", 0),
}

_R, _S, _T = "request", "sync", "token"
_JOB = (_R, _S)
# https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
OPTIMISED: dict[str, dict[str, tuple[str, ...]]] = {
    "apigateway": {"invoke": (_R, _T)},
    "athena": {
        "startQueryExecution": _JOB,
        "stopQueryExecution": (_R,),
        "getQueryExecution": (_R,),
        "getQueryResults": (_R,),
    },
    "batch": {"submitJob": _JOB},
    "bedrock": {"invokeModel": (_R,), "createModelCustomizationJob": _JOB},
    "codebuild": {
        "startBuild": _JOB,
        "stopBuild": (_R,),
        "batchDeleteBuilds": (_R,),
        "batchGetReports": (_R,),
        "startBuildBatch": _JOB,
        "stopBuildBatch": (_R,),
        "retryBuildBatch": _JOB,
        "deleteBuildBatch": (_R,),
    },
    "databrew": {"startJobRun": _JOB},
    "dynamodb": {"getItem": (_R,), "putItem": (_R,), "updateItem": (_R,), "deleteItem": (_R,)},
    "ecs": {"runTask": (_R, _S, _T)},
    "eks": {
        **dict.fromkeys(
            ("createCluster", "deleteCluster", "createFargateProfile", "deleteFargateProfile", "createNodegroup"), _JOB
        ),
        "deleteNodegroup": _JOB,
        "runJob": (_R, _S, _T),
        "call": (_R,),
    },
    "elasticmapreduce": {
        "createCluster": _JOB,
        "setClusterTerminationProtection": (_R,),
        "terminateCluster": _JOB,
        "addStep": _JOB,
        "cancelStep": (_R,),
        "modifyInstanceFleetByName": (_R,),
        "modifyInstanceGroupByName": (_R,),
    },
    "emr-containers": {"createVirtualCluster": (_R,), "deleteVirtualCluster": _JOB, "startJobRun": _JOB},
    "emr-serverless": dict.fromkeys(
        (
            "createApplication",
            "startApplication",
            "stopApplication",
            "deleteApplication",
            "startJobRun",
            "cancelJobRun",
        ),
        _JOB,
    ),
    "events": {"putEvents": (_R, _T)},
    "glue": {"startJobRun": _JOB},
    "http": {"invoke": (_R,)},
    "lambda": {"invoke": (_R, _T)},
    "mediaconvert": {"createJob": _JOB},
    "sagemaker": {
        **dict.fromkeys(
            (
                "createTrainingJob",
                "createTransformJob",
                "createHyperParameterTuningJob",
                "createLabelingJob",
                "createProcessingJob",
            ),
            _JOB,
        ),
        **dict.fromkeys(("createEndpoint", "createEndpointConfig", "createModel", "updateEndpoint"), (_R,)),
    },
    "sns": {"publish": (_R, _T)},
    "sqs": {"sendMessage": (_R, _T)},
    "states": {"startExecution": (_R, _S, _T)},
}


@lru_cache(8192)
def parse(arn: str) -> Resource | None:
    """The parts of a Resource; None for what is none that Step Functions knows."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1]:
        return None
    service, region, account, rest = parts[2:]
    if service == "lambda":
        return _function(arn, region, account, rest)
    if service != "states":
        return None
    if region and account:
        kind, _, name = rest.partition(":")
        return Resource(arn, "activity", region=region, account=account) if kind == "activity" and name else None
    if region or account:
        return None
    return _integration(arn, rest)


def _function(arn: str, region: str, account: str, rest: str) -> Resource | None:
    kind, _, name = rest.partition(":")
    if kind != "function" or not name or not region or not account:
        return None
    return Resource(arn, "lambda", "lambda", "invoke", region=region, account=account)


def _integration(arn: str, rest: str) -> Resource | None:
    sdk = rest.startswith("aws-sdk:")
    service, _, called = rest.removeprefix("aws-sdk:").partition(":")
    action, _, suffix = called.partition(".")
    found = _SUFFIXES.get(suffix)
    if found is None or not _ACTION.fullmatch(action) or called.endswith("."):
        return None
    pattern, sync = found
    resource = Resource(arn, "sdk" if sdk else "service", service, action, pattern, sync)
    return resource if _offered(resource) else None


def _offered(resource: Resource) -> bool:
    if resource.family == "service":
        if resource.sync == 2 and resource.service != "states":
            return False
        return resource.pattern in OPTIMISED.get(resource.service, {}).get(resource.action, ())
    if resource.pattern == "sync":
        return False
    known = SERVICES.get(resource.service)
    if (
        known is None
    ):  # AWS has some 200 more services; without their models there is no telling which actions they have
        return bool(re.fullmatch(r"[a-z][a-z0-9]*", resource.service))
    return operation_name(resource.action) in load(known.module).operations


def known(arn: str) -> str | None:
    """What is wrong with a Resource, in AWS's words; None for one that Step Functions takes."""
    if parse(arn) is not None:
        return None
    return (
        f"The resource provided {arn} is not recognized. The value is not a valid resource ARN, "
        "or the resource is not available in this region."
    )
