"""What a connection is, without its store: its states, what of it may be shown, how parameters of an update are merged."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import events as api
from cumulet.kernel.connections import HttpParameters, Parameter, is_safe
from cumulet.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable

AUTHORIZED, AUTHORIZING, DEAUTHORIZED = "AUTHORIZED", "AUTHORIZING", "DEAUTHORIZED"
BASIC, API_KEY, OAUTH = "BASIC", "API_KEY", "OAUTH_CLIENT_CREDENTIALS"


class Secrets(Struct, kw_only=True):
    """How a connection authorizes: sealed as a whole where it is stored.

    `name` and `secret` are the user and password, the header and its value, or the client's id and secret. `endpoint`, `method`
    and `token_parameters` tell how a token is asked for; `invocation` is what every request gets. `expires` is when the token
    will not be good any more, in seconds since 1970; 0 where nobody said.
    """

    type: str
    name: str = ""
    secret: str = ""
    endpoint: str = ""
    method: str = ""
    token_parameters: HttpParameters | None = None
    invocation: HttpParameters | None = None
    token: str = ""
    expires: float = 0.0


class Connection(Struct, kw_only=True):
    """A connection as it is stored. `id` is the end of its ARN, `secret_id` that of its secret's; times in seconds since 1970.

    `serial` grows with each change of how it authorizes, a new token included.
    """

    name: str
    id: str
    secret_id: str
    type: str
    state: str
    description: str | None = None
    reason: str | None = None
    kms_key: str | None = None
    created: float
    modified: float
    authorized: float | None = None
    serial: int = 1


def arn(account: str, region: str, connection: Connection) -> str:
    return f"arn:aws:events:{region}:{account}:connection/{connection.name}/{connection.id}"


def secret_arn(account: str, region: str, connection: Connection) -> str:
    """Where AWS keeps the secrets; here they are in the connection itself."""
    place = f"events!connection/{connection.name}/{connection.secret_id}"
    return f"arn:aws:secretsmanager:{region}:{account}:secret:{place}"


def invalid(message: str) -> AwsError:
    return AwsError(message, code="ValidationException")


def check_address(url: str, what: str) -> None:
    """HTTPS alone, but for servers of this machine, which are tried out without certificates. Raises ValidationException."""
    if not is_safe(url):
        raise invalid(
            f"{what} must be an HTTPS address: {url} is none, nor one of this machine (such as http://localhost)."
        )


_Auth = api.CreateConnectionAuthRequestParameters | api.UpdateConnectionAuthRequestParameters


def merged(before: Secrets, given: _Auth | None) -> Secrets:
    """How it authorizes after a request: members that are not given stay. Raises ValidationException for what is incomplete."""
    made = replace(before)
    if given is not None:
        _check_kinds(before.type, given)
        if (basic := given.basic_auth_parameters) is not None:
            _take(made, basic.username, basic.password)
        if (key := given.api_key_auth_parameters) is not None:
            _take(made, key.api_key_name, key.api_key_value)
        if (oauth := given.o_auth_parameters) is not None:
            _take_oauth(made, oauth)
        if given.invocation_http_parameters is not None:
            made.invocation = _parameters(given.invocation_http_parameters)
    _check_complete(made)
    return made


def _take(secrets: Secrets, name: str | None, secret: str | None) -> None:
    secrets.name = name if name is not None else secrets.name
    secrets.secret = secret if secret is not None else secrets.secret


def _take_oauth(
    secrets: Secrets, given: api.CreateConnectionOAuthRequestParameters | api.UpdateConnectionOAuthRequestParameters
) -> None:
    if given.client_parameters is not None:
        _take(secrets, given.client_parameters.client_id, given.client_parameters.client_secret)
    secrets.endpoint = given.authorization_endpoint or secrets.endpoint
    secrets.method = given.http_method or secrets.method
    if given.o_auth_http_parameters is not None:
        secrets.token_parameters = _parameters(given.o_auth_http_parameters)


def _check_kinds(type: str, given: _Auth) -> None:
    kinds = {
        BASIC: ("BasicAuthParameters", given.basic_auth_parameters),
        API_KEY: ("ApiKeyAuthParameters", given.api_key_auth_parameters),
        OAUTH: ("OAuthParameters", given.o_auth_parameters),
    }
    for kind, (name, value) in kinds.items():
        if kind != type and value is not None:
            raise invalid(f"{name} does not belong to the authorization type {type}.")


def _check_complete(secrets: Secrets) -> None:
    wanted = {"BASIC": "BasicAuthParameters", "API_KEY": "ApiKeyAuthParameters"}.get(secrets.type, "OAuthParameters")
    if not secrets.name or not secrets.secret:
        raise invalid(f"The authorization type {secrets.type} needs {wanted}, whole.")
    if secrets.type == OAUTH:
        if not secrets.endpoint or not secrets.method:
            raise invalid(f"The authorization type {secrets.type} needs {wanted}, whole.")
        check_address(secrets.endpoint, "AuthorizationEndpoint")


_Given = api.ConnectionHeaderParameter | api.ConnectionQueryStringParameter | api.ConnectionBodyParameter


def _parameters(given: api.ConnectionHttpParameters) -> HttpParameters:
    def read(items: Iterable[_Given] | None) -> list[Parameter]:
        return [Parameter(item.key or "", item.value or "", bool(item.is_value_secret)) for item in items or ()]

    return HttpParameters(
        headers=read(given.header_parameters),
        query=read(given.query_string_parameters),
        body=read(given.body_parameters),
    )


def shown(secrets: Secrets) -> api.ConnectionAuthResponseParameters:
    """What DescribeConnection tells of it: names, and values that are not secret."""
    told = api.ConnectionAuthResponseParameters()
    if secrets.type == BASIC:
        told.basic_auth_parameters = api.ConnectionBasicAuthResponseParameters(username=secrets.name)
    elif secrets.type == API_KEY:
        told.api_key_auth_parameters = api.ConnectionApiKeyAuthResponseParameters(api_key_name=secrets.name)
    else:
        told.o_auth_parameters = api.ConnectionOAuthResponseParameters(
            client_parameters=api.ConnectionOAuthClientResponseParameters(client_id=secrets.name),
            authorization_endpoint=secrets.endpoint,
            http_method=secrets.method,
            o_auth_http_parameters=_shown(secrets.token_parameters),
        )
    told.invocation_http_parameters = _shown(secrets.invocation)
    return told


def _shown(parameters: HttpParameters | None) -> api.ConnectionHttpParameters | None:
    if parameters is None:
        return None
    told = api.ConnectionHttpParameters()
    if parameters.headers:
        told.header_parameters = [
            api.ConnectionHeaderParameter(key=p.key, value=None if p.secret else p.value, is_value_secret=p.secret)
            for p in parameters.headers
        ]
    if parameters.query:
        told.query_string_parameters = [
            api.ConnectionQueryStringParameter(key=p.key, value=None if p.secret else p.value, is_value_secret=p.secret)
            for p in parameters.query
        ]
    if parameters.body:
        told.body_parameters = [
            api.ConnectionBodyParameter(key=p.key, value=None if p.secret else p.value, is_value_secret=p.secret)
            for p in parameters.body
        ]
    return told


def of_requests(secrets: Secrets) -> HttpParameters:
    """What a request of this connection's gets: its authorization, and what is added to each."""
    invocation = secrets.invocation or HttpParameters()
    return HttpParameters(
        headers=[authorization(secrets), *invocation.headers],
        query=invocation.query,
        body=invocation.body,
    )


def authorization(secrets: Secrets) -> Parameter:
    """The header that lets a request in."""
    if secrets.type == API_KEY:
        return Parameter(secrets.name, secrets.secret, secret=True)
    if secrets.type == BASIC:
        both = base64.b64encode(f"{secrets.name}:{secrets.secret}".encode()).decode()
        return Parameter("Authorization", f"Basic {both}", secret=True)
    return Parameter("Authorization", f"Bearer {secrets.token}", secret=True)
