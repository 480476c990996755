"""Packages that cannot be stored: the request fails in words that help, and nothing of it stays."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import ECHO, package

ROLE = "arn:aws:iam::111122223333:role/functions"


def test_nothing_stays_of_code_that_could_not_be_stored(start_node: Callable[..., Any]) -> None:
    node = start_node()
    functions = node.client("lambda", "111122223333")
    functions.list_functions()
    zips, aside = node.data / "packages", node.data / "aside"
    zips.rename(aside)
    zips.touch()  # where a file is, no file can be made, as on a full disk
    settings = {"FunctionName": "f", "Runtime": "python3.11", "Handler": "index.handler", "Role": ROLE, "Timeout": 30}
    with pytest.raises(ClientError, match="could not be stored; nothing was kept"):
        functions.create_function(**settings, Code={"ZipFile": package(ECHO)})
    with pytest.raises(ClientError, match="could not be stored; nothing was kept"):
        functions.publish_layer_version(LayerName="layer", Content={"ZipFile": package(ECHO, "layer.py")})
    deadline = time.monotonic() + 60
    while any((node.data / "functions").iterdir()):
        assert time.monotonic() < deadline, list((node.data / "functions").iterdir())
        time.sleep(0.05)
    zips.unlink()
    aside.rename(zips)
    functions.create_function(**settings, Code={"ZipFile": package(ECHO)})
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    assert functions.invoke(FunctionName="f", Payload=b"1")["Payload"].read() == b"1"
