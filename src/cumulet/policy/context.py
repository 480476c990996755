"""Condition keys of a request: worked out when a policy asks for them, since most policies ask for none."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.credentials import Credential
from cumulet.policy.identity import Identity

Values = tuple[str, ...]
Find = Callable[[str], Values | None]

MEMBERS: dict[str, dict[str, str]] = {
    "s3": {
        "s3:prefix": "prefix",
        "s3:delimiter": "delimiter",
        "s3:max-keys": "max_keys",
        "s3:versionid": "version_id",
        "s3:x-amz-acl": "acl",
        "s3:x-amz-copy-source": "copy_source",
        "s3:x-amz-metadata-directive": "metadata_directive",
        "s3:x-amz-server-side-encryption": "server_side_encryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id": "ssekms_key_id",
        "s3:x-amz-storage-class": "storage_class",
        "s3:locationconstraint": "create_bucket_configuration.location_constraint",
    },
    "sts": {
        "sts:externalid": "external_id",
        "sts:rolesessionname": "role_session_name",
        "sts:sourceidentity": "source_identity",
        "sts:transitivetagkeys": "transitive_tag_keys",
        "sts:durationseconds": "duration_seconds",
    },
    "lambda": {
        "lambda:principal": "principal",
        "lambda:functionurlauthtype": "function_url_auth_type",
        "lambda:invokedviafunctionurl": "invoked_via_function_url",
    },
    "iam": {
        "iam:permissionsboundary": "permissions_boundary",
        "iam:policyarn": "policy_arn",
        "iam:awsservicename": "aws_service_name",
    },
    "sns": {"sns:protocol": "protocol", "sns:endpoint": "endpoint"},
    "dynamodb": {
        "dynamodb:select": "select",
        "dynamodb:returnvalues": "return_values",
        "dynamodb:returnconsumedcapacity": "return_consumed_capacity",
    },
    "stepfunctions": {"states:httpendpoint": "api_endpoint", "states:httpmethod": "method"},
    "events": {"events:source": "entries.source", "events:detail-type": "entries.detail_type"},
}
"""By service: condition keys that are members of the request."""


class Context:
    """Finds the keys of one request. `now` is in seconds since 1970; `extra` adds keys by their lower-case names."""

    __slots__ = (
        "_call",
        "_credential",
        "_extra",
        "_found",
        "_identity",
        "_now",
        "_own",
        "_request",
        "_resource",
        "_service",
    )

    def __init__(
        self,
        call: Call,
        credential: Credential | None,
        identity: Identity,
        target: tuple[str, Struct, str],
        now: Callable[[], float],
        extra: Mapping[str, Values] | None = None,
        own: Find | None = None,
    ) -> None:
        """`target` is the service, the request and the account of the resource; `own` finds what only that service can tell."""
        self._call = call
        self._credential = credential
        self._identity = identity
        self._service, self._request, self._resource = target
        self._now = now
        self._extra = extra or {}
        self._own = own
        self._found: dict[str, Values | None] = {}

    def find(self, key: str) -> Values | None:
        """The values of a key by its lower-case name; None when this request has no such key."""
        if key not in self._found:
            self._found[key] = self._look_up(key)
        return self._found[key]

    @property
    def found(self) -> tuple[tuple[str, Values | None], ...]:
        """The keys that were asked for until now, and their values."""
        return tuple(self._found.items())

    def _look_up(self, key: str) -> Values | None:
        if key in self._extra:
            return self._extra[key]
        prefix, slash, rest = key.partition("/")
        if slash:
            tags = _TAGS.get(prefix)
            return None if tags is None else _tag(tags(self), rest)
        known = _GLOBAL.get(key)
        if known is not None:
            return known(self)
        member = MEMBERS.get(self._service, {}).get(key)
        if member is not None:
            return _member(self._request, member)
        return None if self._own is None else self._own(key)

    def principal_arn(self) -> Values | None:
        call, credential = self._call, self._credential
        if call.principal.kind == "assumed-role":
            role = self._identity.arn or (credential.role_arn if credential is not None else "")
            return (role,) if role else None
        return None if call.principal.kind in ("service", "anonymous") else (call.principal.arn,)

    def principal_tags(self) -> Mapping[str, str]:
        session = self._credential.session_tags if self._credential is not None else {}
        return {**self._identity.tags, **session}

    def request_tags(self) -> Mapping[str, str]:
        tags = getattr(self._request, "tags", None)
        if isinstance(tags, dict):
            return tags
        return {tag.key: tag.value for tag in tags or () if hasattr(tag, "key")}

    def tag_keys(self) -> Values | None:
        keys = getattr(self._request, "tag_keys", None) or self.request_tags()
        return tuple(keys) or None

    def source_account(self) -> Values | None:
        arn = self._call.source_arn
        if not arn:
            return None
        try:
            account = Arn.parse(arn).account
        except ValueError:
            account = ""
        account = account or self._call.principal.account
        return (account,) if account else None

    def issue_time(self) -> Values | None:
        issued = self._credential.extra.get("issued") if self._credential is not None else None
        return None if issued is None else (_iso(issued),)

    def mfa(self) -> Values | None:
        """Only temporary credentials have the key."""
        credential = self._credential
        if credential is None or credential.session_token is None:
            return None
        return ("true" if credential.extra.get("mfa") else "false",)

    @property
    def call(self) -> Call:
        return self._call

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def credential(self) -> Credential | None:
        return self._credential

    @property
    def resource_account(self) -> str:
        return self._resource

    def now(self) -> float:
        return self._now()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _one(text: str) -> Values | None:
    return (text,) if text else None


def _flag(value: bool) -> Values:
    return ("true" if value else "false",)


_KINDS = {"root": "Account", "user": "User", "assumed-role": "AssumedRole", "federated-user": "FederatedUser"}
_SERVICE = "service"

_GLOBAL: dict[str, Callable[[Context], Values | None]] = {
    "aws:principalarn": Context.principal_arn,
    "aws:principalaccount": lambda c: _one(c.call.principal.account),
    "aws:principaltype": lambda c: _one(_KINDS.get(c.call.principal.kind, "")),
    "aws:principalisawsservice": lambda c: _flag(c.call.principal.kind == _SERVICE),
    "aws:principalservicename": lambda c: _one(c.call.principal.arn) if c.call.principal.kind == _SERVICE else None,
    "aws:viaawsservice": lambda c: _flag(False),
    "aws:userid": lambda c: None if c.call.principal.kind == "anonymous" else (c.call.principal.id,),
    "aws:username": lambda c: _one(c.identity.name) if c.call.principal.kind == "user" else None,
    "aws:sourceip": lambda c: _one(c.call.source_ip) if c.call.principal.kind != _SERVICE else None,
    "aws:sourcearn": lambda c: _one(c.call.source_arn),
    "aws:sourceaccount": Context.source_account,
    "aws:sourceidentity": lambda c: _one(c.credential.source_identity) if c.credential is not None else None,
    "aws:requestedregion": lambda c: _one(c.call.region),
    "aws:resourceaccount": lambda c: _one(c.resource_account),
    "aws:securetransport": lambda c: _flag(c.call.endpoint.startswith("https:")),
    "aws:currenttime": lambda c: (_iso(c.now()),),
    "aws:epochtime": lambda c: (str(int(c.now())),),
    "aws:tokenissuetime": Context.issue_time,
    "aws:multifactorauthpresent": Context.mfa,
    "aws:tagkeys": Context.tag_keys,
}
_TAGS: dict[str, Callable[[Context], Mapping[str, str]]] = {
    "aws:principaltag": Context.principal_tags,
    "aws:requesttag": Context.request_tags,
}


def _tag(tags: Mapping[str, str], key: str) -> Values | None:
    """Tag keys in condition keys are compared without case."""
    for name, value in tags.items():
        if name.lower() == key:
            return (value,)
    return None


def _member(request: Any, path: str) -> Values | None:
    found = [request]
    for name in path.split("."):
        values = [getattr(item, name, None) for item in found]
        found = [
            part for value in values if value is not None for part in (value if isinstance(value, list) else [value])
        ]
    return tuple(_text(value) for value in found) or None


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
