"""The generated modules: current, complete, and the same at run time as in their declarations."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.loaders import Loader

from cumulet.api.model import MODELS, load
from cumulet.kernel.errors import AwsError

MODULES = sorted(path.stem for path in MODELS.glob("*.json"))
ROOT = Path(__file__).parents[2]
UNNAMED = {"apigateway": {"GetApiGateway"}}
"""Operations that botocore's models do not have."""


def declarations(module: str) -> dict[str, Any]:
    """What the stub declares, by running it as a module of its own."""
    name = f"stub_of_{module}"
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec is not None
    stub = importlib.util.module_from_spec(spec)
    sys.modules[name] = stub
    source = (MODELS.parent / f"{module}.pyi").read_text()
    exec(compile("from __future__ import annotations\n" + source, name, "exec"), vars(stub))  # our own generated file
    return {key: value for key, value in vars(stub).items() if isinstance(value, type) and value.__module__ == name}


def fields(struct: Any) -> list[tuple[Any, ...]]:
    hints = msgspec.structs.fields(struct)
    return [(field.name, field.encode_name, str(field.type).rsplit(".", 1)[-1], field.required) for field in hints]


def test_files_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "generate_api.py", "--check"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("module", MODULES)
def test_declarations_are_what_is_made(module: str) -> None:
    api = importlib.import_module(f"cumulet.api.{module}")
    declared = declarations(module)
    assert set(declared) == set(dir(api)) - {"OPERATIONS"}
    for name, wanted in declared.items():
        made = getattr(api, name)
        if issubclass(wanted, AwsError):
            assert (made.code, made.query_code, made.status) == (wanted.code, wanted.query_code, wanted.status)
        else:
            assert fields(made) == fields(wanted), name
            assert made.__struct_config__.omit_defaults


@pytest.mark.parametrize("module", MODULES)
def test_every_operation_is_named(module: str) -> None:
    api = importlib.import_module(f"cumulet.api.{module}")
    model = Loader().load_service_model(load(module).metadata.service, "service-2")
    assert set(api.OPERATIONS.values()) == set(model["operations"]) | UNNAMED.get(module, set())


def test_unknown_names_are_refused() -> None:
    api = importlib.import_module("cumulet.api.sqs")
    with pytest.raises(AttributeError, match="NoSuchShape"):
        _ = api.NoSuchShape


def test_query_codes_of_sqs() -> None:
    from cumulet.api import sqs

    assert sqs.QueueDoesNotExist.query_code == "AWS.SimpleQueueService.NonExistentQueue"
    assert sqs.QueueDoesNotExist.code == "QueueDoesNotExist"
    assert sqs.QueueNameExists.query_code == "QueueAlreadyExists"
    assert sqs.MessageNotInflight.status == 400
