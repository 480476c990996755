"""Runtimes of customers: images on which functions run, by alias."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import package
from tests.services.lambda_.images.test_images import LAMBDAS, Registry, program

QUICK = {"Delay": 0.05, "MaxAttempts": 1200}


def base() -> bytes:
    """A layer with a runtime that tells the first line of the function's `said.txt`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        bootstrap = tarfile.TarInfo("var/runtime/bootstrap")
        bootstrap.mode, bootstrap.size = 0o755, len(program())
        archive.addfile(bootstrap, io.BytesIO(program()))
        link = tarfile.TarInfo("data/layer.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/var/task/said.txt"
        archive.addfile(link)
    return gzip.compress(out.getvalue(), mtime=0)


@pytest.fixture
def core(client: Callable[..., Any]) -> Any:
    return client("lambda-core")


@pytest.fixture
def publish(core: Any, endpoint: str, account: str) -> Callable[[str, str], Any]:
    """`publish("tool", "v1")` makes a version, whose functions tell its name as `image`."""
    registry = Registry(endpoint, account)

    def version(runtime: str, name: str) -> Any:
        registry.push(runtime, name, [base()], Env=[f"IMAGE={name}", "PATH=/tool"])
        made = core.create_runtime_version(
            RuntimeName=runtime, Name=name, ImageUri=f"{registry.host}/{runtime}:{name}", ReleaseNotes="new"
        )
        waiter = core.get_waiter("runtime_version_active")
        waiter.wait(RuntimeName=runtime, Name=name, WaiterConfig=QUICK)
        return made

    return version


def said(functions: Any, name: str) -> Any:
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    document = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, document
    return document


def test_functions_run_on_what_their_alias_leads_to(
    core: Any, functions: Any, role: str, publish: Callable[[str, str], Any]
) -> None:
    runtime = core.create_runtime(Name="tool", Description="ours")
    made = publish("tool", "v1")
    assert made["Platforms"][0]["Architecture"] == LAMBDAS
    assert made["ResolvedUri"].partition("@")[2] == made["Platforms"][0]["Digest"]
    core.create_runtime_alias(RuntimeName="tool", Name="prod", RuntimeVersion="v1")
    config = {"RuntimeArn": runtime["Arn"], "RuntimeAlias": "prod"}
    created = functions.create_function(
        FunctionName="f",
        Runtime="custom",
        RuntimeConfig=config,
        Handler="any",
        Role=role,
        Timeout=60,
        Code={"ZipFile": package("hello\n", "said.txt")},
    )
    assert (created["Runtime"], created["RuntimeConfig"]) == ("custom", config)
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig=QUICK)
    first = said(functions, "f")
    assert (first["data"], first["image"], first["folder"], first["path"]) == ("hello", "v1", "/var/task", "/tool")
    assert (first["writes"], first["machine"]) == (False, False)
    publish("tool", "v2")
    assert said(functions, "f")["image"] == "v1"
    core.update_runtime_alias(RuntimeName="tool", Name="prod", RuntimeVersion="v2")
    assert said(functions, "f")["image"] == "v2"
    core.delete_runtime_alias(RuntimeName="tool", Name="prod")
    with pytest.raises(functions.exceptions.RuntimeAliasDeletedException):
        functions.invoke(FunctionName="f")
    core.restore_runtime(RuntimeName="tool", RuntimeAlias="prod")
    assert said(functions, "f")["image"] == "v2"


def test_what_functions_may_use(core: Any, functions: Any, role: str, account: str) -> None:
    def create(**members: Any) -> Any:
        code = {"ZipFile": package("hello\n", "said.txt")}
        return functions.create_function(FunctionName="f", Handler="any", Role=role, Code=code, **members)

    config = {"RuntimeArn": f"arn:aws:lambda:us-east-1:{account}:runtime/none", "RuntimeAlias": "prod"}
    for members in (
        {"Runtime": "custom"},
        {"Runtime": "custom", "RuntimeConfig": config},
        {"Runtime": "python3.11", "RuntimeConfig": config},
    ):
        with pytest.raises(functions.exceptions.InvalidParameterValueException):
            create(**members)


def test_runtimes_that_are_deleted(core: Any, advance: Callable[[float], None]) -> None:
    core.create_runtime(Name="tool", Tags={"a": "b"})
    with pytest.raises(core.exceptions.ResourceConflictException):
        core.create_runtime(Name="tool")
    core.delete_runtime(RuntimeName="tool", RecoveryWindowInDays=7)
    shown = core.get_runtime(RuntimeName="tool")
    assert (shown["State"], "PendingDeletionAt" in shown) == ("PENDING_DELETION", True)
    assert core.restore_runtime(RuntimeName="tool")["State"] == "ACTIVE"
    core.delete_runtime(RuntimeName="tool", RecoveryWindowInDays=7)
    advance(7 * 86_400 + 1)
    with pytest.raises(core.exceptions.ResourceNotFoundException):
        core.get_runtime(RuntimeName="tool")
    assert core.list_runtimes()["Items"] == []
    core.create_runtime(Name="tool")


def test_lifecycles(core: Any) -> None:
    core.create_runtime(Name="tool", ReleaseLifecycle={"ReleaseState": "GA", "DeprecationDate": "2099-01-01"})
    with pytest.raises(core.exceptions.InvalidParameterValueException):
        core.update_runtime(RuntimeName="tool", ReleaseLifecycle={"ReleaseState": "DEPRECATED"})
    core.update_runtime(RuntimeName="tool", ReleaseLifecycle={"DeprecationDate": "2020-01-01"})
    assert core.get_runtime(RuntimeName="tool")["ReleaseLifecycle"]["ReleaseState"] == "DEPRECATED"
    assert "ReleaseLifecycle" not in core.update_runtime(RuntimeName="tool", Description="old")


def test_lists_and_what_is_missing(core: Any, publish: Callable[[str, str], Any]) -> None:
    for name in ("aa", "bb", "cc"):
        core.create_runtime(Name=name)
    first = core.list_runtimes(MaxResults=2)
    rest = core.list_runtimes(NextToken=first["NextToken"])
    assert [item["Name"] for item in first["Items"] + rest["Items"]] == ["aa", "bb", "cc"]
    publish("aa", "v1")
    with pytest.raises(core.exceptions.ResourceNotFoundException):
        core.create_runtime_alias(RuntimeName="aa", Name="prod", RuntimeVersion="v2")
    core.create_runtime_alias(RuntimeName="aa", Name="prod", RuntimeVersion="v1")
    assert [item["Name"] for item in core.list_runtime_aliases(RuntimeName="aa")["Items"]] == ["prod"]
    assert core.update_runtime_version(RuntimeName="aa", Name="v1", ReleaseNotes="better")["ReleaseNotes"] == "better"
    assert [item["ReleaseNotes"] for item in core.list_runtime_versions(RuntimeName="aa")["Items"]] == ["better"]
    with pytest.raises(core.exceptions.ResourceConflictException):
        core.delete_runtime(RuntimeName="aa")
