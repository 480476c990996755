"""Calls of AWS operations by the command line itself: signed HTTP without an SDK, which would take longer to import than the call takes."""

import hashlib
import hmac
import http.client
import json
import os
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click

from cumulet.cli.errors import CliError, NoNode, WrongSettings
from cumulet.cli.node import RunningNode


@dataclass(frozen=True)
class Answer:
    """An answer with a status below 300."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Caller:
    """Whose calls they are. The keys are development keys unless AWS_ACCESS_KEY_ID names another."""

    node: RunningNode
    region: str
    access_key: str
    secret: str
    token: str = ""

    @classmethod
    def from_options(cls, node: RunningNode, account: str | None, region: str) -> "Caller":
        """The account's root when one is named, else the credentials of the environment, else the default account."""
        if account is not None and not (account.isascii() and account.isdigit() and len(account) == 12):
            raise WrongSettings(f"--account {account} is not an account: it takes twelve digits.")
        key = os.environ.get("AWS_ACCESS_KEY_ID")
        if account is None and key:
            secret = os.environ.get("AWS_SECRET_ACCESS_KEY", "")
            return cls(node, region, key, secret, os.environ.get("AWS_SESSION_TOKEN", ""))
        return cls(node, region, account or "000000000000", "cumulet")

    def json(self, service: str, target: str, value: Any) -> Any:
        """A JSON protocol operation; `target` is its X-Amz-Target."""
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
        answer = self.send(service, "/", json.dumps(value).encode(), headers)
        return json.loads(answer.body)

    def send(
        self,
        service: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        query: str = "",
        *,
        method: str = "POST",
        timeout: float = 960.0,
    ) -> Answer:
        """Send a signed request; `path` is encoded already. Raises CliError with AWS's code and message."""
        connection = self.node.connect(timeout)
        signed = self._sign(method, service, path, query, body, headers)
        try:
            connection.request(method, path + (f"?{query}" if query else ""), body, signed)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoNode.silent(self.node.endpoint, error) from error
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        if answer.status >= 300:
            raise ApiError(found.get("x-amzn-errortype", ""), content)
        return Answer(answer.status, found, content)

    def _sign(
        self, method: str, service: str, path: str, query: str, body: bytes, headers: dict[str, str]
    ) -> dict[str, str]:
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = headers | {"host": self.node.endpoint.partition("://")[2], "x-amz-date": moment}
        if self.token:
            headers["x-amz-security-token"] = self.token
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        digest = hashlib.sha256(body).hexdigest()
        canonical = "\n".join((method, quote(path, safe="/-_.~"), query, lines, names, digest))
        scope = f"{moment[:8]}/{self.region}/{service}/aws4_request"
        text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return headers


class ApiError(CliError):
    """What AWS's error says; `code` is its short name."""

    def __init__(self, header: str, body: bytes) -> None:
        try:
            value = json.loads(body)
        except ValueError:
            value = {}
        kind = header or str(value.get("__type", "")) or "Error"
        self.code = kind.partition(":")[0].rpartition("#")[2]
        text = value.get("message") or value.get("Message") or body.decode(errors="replace")[:300]
        super().__init__(f"{self.code}: {text}")


caller_options = [
    click.option("--account", metavar="TWELVE_DIGITS", help="Act as the root of this account."),
    click.option("--region", default="us-east-1", show_default=True, envvar=["AWS_REGION", "AWS_DEFAULT_REGION"]),
]


def with_caller_options(command: Any) -> Any:
    """Adds --account and --region to a command."""
    for option in caller_options:
        command = option(command)
    return command
