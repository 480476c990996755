"""Powertools for AWS Lambda, brought by a layer as people do."""

import base64
import io
import json
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.services.lambda_.conftest import payload

SHOP = """
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

logger, metrics, app = Logger(service="shop"), Metrics(namespace="shop", service="shop"), APIGatewayHttpResolver()

@app.get("/hello/<name>")
def hello(name):
    metrics.add_metric(name="Hellos", unit=MetricUnit.Count, value=1)
    logger.info("greeting", extra={"who": name})
    return {"hello": name}

@logger.inject_lambda_context
@metrics.log_metrics
def handler(event, context: LambdaContext):
    return app.resolve(event, context)
"""
REQUEST = {
    "version": "2.0",
    "rawPath": "/hello/ann",
    "headers": {},
    "requestContext": {"http": {"method": "GET", "path": "/hello/ann"}, "stage": "$default"},
    "isBase64Encoded": False,
}


def layer() -> bytes:
    """A layer of the installed package and what it needs."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("aws_lambda_powertools", "jmespath", "typing_extensions"):
            spec = find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            found = Path(spec.origin)
            for file in found.parent.rglob("*.py") if found.name == "__init__.py" else [found]:
                base = found.parent.parent if found.name == "__init__.py" else found.parent
                archive.write(file, Path("python", file.relative_to(base)))
    return out.getvalue()


def test_powertools_routes_logs_and_measures(make: Callable[..., Any], functions: Any) -> None:
    published = functions.publish_layer_version(LayerName="powertools", Content={"ZipFile": layer()})
    runtime = f"python3.{sys.version_info.minor}"
    made = make("shop", SHOP, Layers=[published["LayerVersionArn"]], Runtime=runtime, Timeout=30, MemorySize=256)

    answer = functions.invoke(FunctionName="shop", Payload=json.dumps(REQUEST), LogType="Tail")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]

    assert payload(answer)["body"] == '{"hello":"ann"}'
    [log] = [record for record in records if record.get("message") == "greeting"]
    assert (log["who"], log["function_name"], log["function_arn"]) == ("ann", "shop", made["FunctionArn"])
    assert log["function_request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert [record["Hellos"] for record in records if "Hellos" in record] == [[1.0]]
