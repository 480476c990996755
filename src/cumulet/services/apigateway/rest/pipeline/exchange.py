"""One request to an API on its way through the steps, and what each of them found out."""

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from cumulet.kernel.call import ANONYMOUS, Call, Principal
from cumulet.kernel.ids import digits
from cumulet.kernel.once import once
from cumulet.kernel.web import Visit, WebAnswer
from cumulet.services.apigateway.rest.pipeline.headers import DROPPED, proper_name
from cumulet.services.apigateway.rest.pipeline.router import parts_of

if TYPE_CHECKING:
    from cumulet.kernel.credentials import Credential
    from cumulet.services.apigateway.plane.execution_log import ExecutionLog
    from cumulet.services.apigateway.rest.pipeline.front import RestFront
    from cumulet.services.apigateway.rest.pipeline.program import MethodPlan, Program

_MARK = ".execute-api."
_plain = random.Random()  # noqa: S311  ids that need not be secret


class Refused(Exception):
    """The request ends with a gateway response: its type, AWS's message (None is `null`), and a status other than the type's."""

    def __init__(
        self, kind: str, message: str | None, *, status: int = 0, reason: str = "", error_type: str = ""
    ) -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.message = message
        self.status = status
        self.reason = reason  # for the execution log
        self.error_type = error_type
        self.validation = ""


class Exchange:
    """What is known of a request. `path` begins after the stage; times are in seconds since 1970."""

    method: MethodPlan
    answer: WebAnswer
    path_values: dict[str, str]

    def __init__(self, front: RestFront, program: Program, visit: Visit, path: str, now: float) -> None:
        self.front = front
        self.program = program
        self.visit = visit
        self.request = visit.request
        self.path = path
        self.now = now
        self.request_id = visit.request_id
        self.path_values = {}
        self.stage_variables = program.variables
        self.base_path = ""
        self.log: ExecutionLog | None = None
        self.credential: Credential | None = None
        self.principal: Principal = ANONYMOUS
        self.authorizer: dict[str, Any] = {}
        self.identity: dict[str, str] = {}
        self.usage_key: str | None = None
        self.policy_allows = False
        self.refused: Refused | None = None
        self.integration: dict[str, Any] = {}
        self.cache_key: tuple[Any, ...] | None = None
        self.warning = ""
        self.mapped = False
        self.test = False

    @once
    def extended_id(self) -> str:
        """x-amz-apigw-id: eleven bytes in base64."""
        return base64.b64encode(_plain.randbytes(11)).decode()

    @once
    def trace(self) -> str:
        """X-Amzn-Trace-Id for the integration: the client's root, or one of our own."""
        given = self.request.headers.get("x-amzn-trace-id", "")
        if given.startswith("Root=") or ";Root=" in given:
            return given
        return f"Root=1-{int(self.now):08x}-{digits(24)}"

    @once
    def answer_trace(self) -> str:
        """X-Amzn-Trace-Id for the client: with the segment of the integration."""
        return self.trace if "Parent=" in self.trace else f"{self.trace};Parent={digits(16)};Sampled=0"

    @once
    def headers(self) -> dict[str, tuple[str, list[str]]]:
        """The client's headers that are passed on, by lower-case name: the name as sent and its values."""
        found: dict[str, tuple[str, list[str]]] = {}
        for name, value in self.request.lines:
            key = name.lower()
            if key in DROPPED:
                continue
            known = found.get(key)
            if known is None:
                found[key] = (proper_name(key, name), [value])
            else:
                known[1].append(value)
        return found

    @once
    def query(self) -> dict[str, list[str]]:
        """The query string's parameters, decoded."""
        if not self.request.query:
            return {}
        found: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.request.query, keep_blank_values=True):
            found.setdefault(name, []).append(value)
        return found

    @once
    def path_params(self) -> dict[str, str]:
        """The path's parameters, decoded."""
        return {name: unquote(value) for name, value in self.path_values.items()}

    @once
    def full_path(self) -> str:
        """The path with its stage, as `$context.path` has it."""
        return f"/{self.program.stage_name}{self.path}" if not self.test else self.path

    @once
    def domain(self) -> str:
        """The host as it was called, which is what AWS tells; where the path named the API, its name at AWS."""
        host = self.request.headers.get("host", "")
        if self.mapped or self.test or _MARK in host.lower():
            return host
        return f"{self.program.api_id}{_MARK}{self.program.region}.amazonaws.com"

    @once
    def resource_arn(self) -> str:
        """The ARN of the method as it was called, which policies name: with the path's own values, and the slashes that count."""
        program = self.program
        return f"{program.arn}/{program.stage_name}/{self.request.method}/{'/'.join(parts_of(self.path))}"

    @property
    def resource_arns(self) -> tuple[str, ...]:
        """What no policy may deny: the method as it was called, and as who reads `%61` as `a` understands that."""
        if "%" not in self.path:
            return (self.resource_arn,)
        return self.resource_arn, unquote(self.resource_arn)

    def call(self, source_arn: str = "") -> Call:
        """A call of API Gateway for this request: as itself, for the API's account."""
        program = self.program
        return Call(
            account=program.account,
            region=program.region,
            principal=program.itself,
            request_id=self.request_id,
            endpoint=self.visit.endpoint,
            source_ip=self.request.peer,
            source_arn=source_arn,
            trace=self.trace,
        )

    def caller(self) -> Call:
        """The same as the client makes it."""
        program = self.program
        return Call(
            account=self.principal.account or program.account,
            region=program.region,
            principal=self.principal,
            request_id=self.request_id,
            endpoint=self.visit.endpoint,
            source_ip=self.request.peer,
            access_key=self.credential.access_key if self.credential is not None else "",
        )

    def header(self, name: str) -> str | None:
        """The last value of a header, by lower-case name."""
        found = self.headers.get(name)
        return found[1][-1] if found is not None else None
