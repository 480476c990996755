"""MicroVMs to test with: programs of a few lines, built into images and run."""

import http.client
import io
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

COUNTER = """
import http.server, json, os, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0
    heard = []

    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        if self.path == "/count":
            Handler.count += 1
            self.answer(Handler.count)
        elif self.path == "/heard":
            self.answer(Handler.heard)
        elif self.path == "/headers":
            self.answer({name.lower(): value for name, value in self.headers.items()})
        elif self.path == "/env":
            self.answer(dict(os.environ))
        else:
            self.answer({"path": self.path, "folder": os.getcwd()})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/aws/"):
            name = self.path.rpartition("/")[2]
            Handler.heard.append([name, body.decode()])
            refused = os.path.exists("/tmp/refuse-" + name)
            self.answer(name, 500 if refused else 200)
        elif self.path == "/write":
            name, _, text = body.decode().partition(" ")
            try:
                with open(name, "a") as file:
                    file.write(text)
                self.answer(open(name).read())
            except OSError as error:
                self.answer(str(error), 500)
        else:
            self.answer(body.decode())

    def answer(self, what, status=200):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *parts):
        pass

print("the program begins", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""
DOCKERFILE = """
FROM public.ecr.aws/lambda/microvms:al2023-minimal
WORKDIR /app
COPY app.py .
EXPOSE 8080
CMD ["python3", "app.py", "8080"]
"""
FILES = {"Dockerfile": DOCKERFILE, "app.py": COUNTER}


def zipped(files: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            archive.writestr(info, text)
    return out.getvalue()


def until(condition: Callable[[], Any]) -> Any:
    """What it gives, once that is true."""
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


class Microvms:
    """`image` builds one from its files' texts, `run` starts a MicroVM, `ask` sends a request to its endpoint."""

    def __init__(self, client: Callable[..., Any], account: str, endpoint: str) -> None:
        # What requests must keep to is the node's to say, not the SDK's.
        config = Config(retries={"total_max_attempts": 1}, read_timeout=60, parameter_validation=False)
        self.api = client("lambda-microvms", config=config)
        self.s3 = client("s3")
        self.logs = client("logs")
        self.base = "arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1"
        self.role = f"arn:aws:iam::{account}:role/microvm"
        self.bucket = f"artifacts-{account}"
        self.s3.create_bucket(Bucket=self.bucket)
        self._endpoint = endpoint
        self._count = 0
        self.started: list[str] = []

    def artifact(self, files: dict[str, str]) -> dict[str, str]:
        self._count += 1
        key = f"{self._count}.zip"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=zipped(dict(files)))
        return {"uri": f"s3://{self.bucket}/{key}"}

    def asked(self, files: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """What CreateMicrovmImage and UpdateMicrovmImage need."""
        usual = {"baseImageArn": self.base, "buildRoleArn": self.role, "resources": [{"minimumMemoryInMiB": 512}]}
        return {**usual, "codeArtifact": self.artifact(FILES if files is None else files), **more}

    def built(self, arn: str, number: str = "1.0") -> Any:
        """The version, once it is."""

        def over() -> Any:
            version = self.api.get_microvm_image_version(imageIdentifier=arn, imageVersion=number)
            return version if version["state"] in {"SUCCESSFUL", "FAILED"} else None

        return until(over)

    def image(self, name: str = "counter", files: dict[str, str] | None = None, **more: Any) -> str:
        """The ARN of an image that is built."""
        arn = str(self.api.create_microvm_image(name=name, **self.asked(files, **more))["imageArn"])
        version = self.built(arn)
        assert version["state"] == "SUCCESSFUL", version["stateReason"]
        return arn

    def run(self, image: str, *, state: str = "RUNNING", **more: Any) -> Any:
        """A MicroVM, once it is in that state."""
        vm = self.api.run_microvm(imageIdentifier=image, **more)
        self.started.append(vm["microvmId"])
        return self.reaches(vm["microvmId"], state)

    def reaches(self, id: str, *states: str) -> Any:
        def there() -> Any:
            vm = self.api.get_microvm(microvmIdentifier=id)
            return vm if vm["state"] in states else None

        return until(there)

    def token(self, id: str, minutes: int = 30, **port: Any) -> str:
        allowed = [port or {"allPorts": {}}]
        made = self.api.create_microvm_auth_token(
            microvmIdentifier=id, expirationInMinutes=minutes, allowedPorts=allowed
        )
        return str(made["authToken"]["X-aws-proxy-auth"])

    def connect(self) -> http.client.HTTPConnection:
        """To the node, whose hosts resolve nowhere but in `Host`."""
        parts = urlsplit(self._endpoint)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def ask(
        self, vm: Any, path: str = "/", token: str | None = None, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, bytes]:
        """Status and body, with a token for all ports where none is given."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        token = self.token(vm["microvmId"]) if token is None else token
        if token:
            named["X-aws-proxy-auth"] = token
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers={"Host": vm["endpoint"], **named})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def end(self) -> None:
        for id in self.started:
            self.api.terminate_microvm(microvmIdentifier=id)


@pytest.fixture
def microvms(client: Callable[..., Any], account: str, endpoint: str) -> Iterator[Microvms]:
    made = Microvms(client, account, endpoint)
    yield made
    made.end()
