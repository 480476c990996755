"""Connections, as clients see them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import ClientError
from tests.services.events.conftest import Elsewhere

BASIC = {"BasicAuthParameters": {"Username": "ann", "Password": "open-sesame"}}


@pytest.fixture
def events(client: Callable[..., Any]) -> Any:
    return client("events")


def described(events: Any, name: str, *states: str) -> dict[str, Any]:
    """The connection once it is in one of those states."""
    deadline = time.monotonic() + 200
    while True:
        found: dict[str, Any] = events.describe_connection(Name=name)
        if found["ConnectionState"] in states or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def oauth(url: str, **more: Any) -> dict[str, Any]:
    given = {
        "ClientParameters": {"ClientID": "me", "ClientSecret": "my-secret"},
        "AuthorizationEndpoint": f"{url}/token",
        "HttpMethod": "POST",
        **more,
    }
    return {"OAuthParameters": given}


def test_a_connection_is_described_without_its_secrets(events: Any) -> None:
    parameters = {
        **BASIC,
        "InvocationHttpParameters": {
            "HeaderParameters": [
                {"Key": "X-Open", "Value": "yes", "IsValueSecret": False},
                {"Key": "X-Secret", "Value": "hidden", "IsValueSecret": True},
            ]
        },
    }
    made = events.create_connection(
        Name="shop", AuthorizationType="BASIC", AuthParameters=parameters, Description="a shop"
    )
    assert made["ConnectionState"] == "AUTHORIZED"
    assert re.fullmatch(r"arn:aws:events:us-east-1:\d{12}:connection/shop/[0-9a-f-]{36}", made["ConnectionArn"])
    found = events.describe_connection(Name="shop")
    assert found["AuthParameters"] == {
        "BasicAuthParameters": {"Username": "ann"},
        "InvocationHttpParameters": {
            "HeaderParameters": [
                {"Key": "X-Open", "Value": "yes", "IsValueSecret": False},
                {"Key": "X-Secret", "IsValueSecret": True},
            ]
        },
    }
    assert ":secret:events!connection/shop/" in found["SecretArn"]
    assert found["Description"] == "a shop"
    with pytest.raises(ClientError, match="already exists") as refused:
        events.create_connection(Name="shop", AuthorizationType="BASIC", AuthParameters=BASIC)
    assert refused.value.response["Error"]["Code"] == "ResourceAlreadyExistsException"


def test_updates_keep_what_they_do_not_name(events: Any) -> None:
    events.create_connection(Name="shop", AuthorizationType="BASIC", AuthParameters=BASIC)
    events.update_connection(Name="shop", AuthParameters={"BasicAuthParameters": {"Username": "bob"}})
    assert events.describe_connection(Name="shop")["AuthParameters"] == {"BasicAuthParameters": {"Username": "bob"}}
    with pytest.raises(ClientError, match="needs ApiKeyAuthParameters"):
        events.update_connection(Name="shop", AuthorizationType="API_KEY")
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "k"}}
    events.update_connection(Name="shop", AuthorizationType="API_KEY", AuthParameters=key)
    found = events.describe_connection(Name="shop")
    assert found["AuthorizationType"] == "API_KEY"
    assert found["AuthParameters"] == {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key"}}


def test_what_is_deauthorized_forgets_its_secrets_and_can_be_given_new_ones(events: Any) -> None:
    events.create_connection(Name="shop", AuthorizationType="BASIC", AuthParameters=BASIC)
    assert events.deauthorize_connection(Name="shop")["ConnectionState"] == "DEAUTHORIZING"
    found = events.describe_connection(Name="shop")
    assert found["ConnectionState"] == "DEAUTHORIZED"
    assert "AuthParameters" not in found
    with pytest.raises(ClientError, match="needs BasicAuthParameters"):
        events.update_connection(Name="shop", AuthParameters={"BasicAuthParameters": {"Username": "bob"}})
    events.update_connection(Name="shop", AuthParameters=BASIC)
    assert events.describe_connection(Name="shop")["ConnectionState"] == "AUTHORIZED"


def test_lists_and_deletes(events: Any) -> None:
    for name in ("a1", "a2", "b1"):
        events.create_connection(Name=name, AuthorizationType="BASIC", AuthParameters=BASIC)
    first = events.list_connections(Limit=2)
    assert [each["Name"] for each in first["Connections"]] == ["a1", "a2"]
    second = events.list_connections(Limit=2, NextToken=first["NextToken"])
    assert [each["Name"] for each in second["Connections"]] == ["b1"]
    assert "NextToken" not in second
    assert [each["Name"] for each in events.list_connections(NamePrefix="b")["Connections"]] == ["b1"]
    assert events.list_connections(ConnectionState="DEAUTHORIZED")["Connections"] == []
    assert events.delete_connection(Name="a1")["ConnectionState"] == "DELETING"
    with pytest.raises(ClientError) as missing:
        events.describe_connection(Name="a1")
    assert missing.value.response["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": "Failed to describe the connection(s). Connection 'a1' does not exist.",
    }


def test_a_token_is_asked_for(events: Any, elsewhere: Elsewhere) -> None:
    elsewhere.answer("/token", 200, {"access_token": "t1", "expires_in": 3600})
    more = {"OAuthHttpParameters": {"BodyParameters": [{"Key": "audience", "Value": "shop", "IsValueSecret": False}]}}
    made = events.create_connection(
        Name="shop", AuthorizationType="OAUTH_CLIENT_CREDENTIALS", AuthParameters=oauth(elsewhere.url, **more)
    )
    assert made["ConnectionState"] == "AUTHORIZING"
    found = described(events, "shop", "AUTHORIZED", "DEAUTHORIZED")
    assert found["ConnectionState"] == "AUTHORIZED"
    assert found["AuthParameters"]["OAuthParameters"]["ClientParameters"] == {"ClientID": "me"}
    [(method, path, headers, body)] = elsewhere.asked
    assert (method, path, headers["content-type"]) == ("POST", "/token", "application/x-www-form-urlencoded")
    assert parse_qs(body) == {
        "grant_type": ["client_credentials"],
        "client_id": ["me"],
        "client_secret": ["my-secret"],
        "audience": ["shop"],
    }


def test_without_a_token_it_is_not_authorized_until_it_is_updated(events: Any, elsewhere: Elsewhere) -> None:
    elsewhere.answer("/token", 400, {"error": "invalid_client"})
    events.create_connection(
        Name="shop", AuthorizationType="OAUTH_CLIENT_CREDENTIALS", AuthParameters=oauth(elsewhere.url)
    )
    found = described(events, "shop", "DEAUTHORIZED")
    assert found["StateReason"] == "The authorization endpoint answered with status 400."
    elsewhere.answer("/token", 200, {"access_token": "t1"})
    assert events.update_connection(Name="shop")["ConnectionState"] == "AUTHORIZING"
    found = described(events, "shop", "AUTHORIZED")
    assert found["ConnectionState"] == "AUTHORIZED"
    assert "StateReason" not in found


@pytest.mark.parametrize("endpoint", ["http://example.com/token", "ftp://localhost/token", "nothing"])
def test_tokens_are_asked_for_by_https_or_on_this_machine(events: Any, endpoint: str) -> None:
    with pytest.raises(ClientError, match="must be an HTTPS address") as refused:
        events.create_connection(
            Name="shop",
            AuthorizationType="OAUTH_CLIENT_CREDENTIALS",
            AuthParameters=oauth("", AuthorizationEndpoint=endpoint),
        )
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_what_cannot_be_is_refused_and_changes_nothing(events: Any) -> None:
    with pytest.raises(ClientError, match="Member must satisfy enum value set"):
        events.create_connection(Name="shop", AuthorizationType="OTHER", AuthParameters=BASIC)
    with pytest.raises(ClientError, match="does not belong to the authorization type"):
        events.create_connection(Name="shop", AuthorizationType="API_KEY", AuthParameters=BASIC)
    with pytest.raises(ClientError, match="does not exist") as refused:
        events.create_connection(
            Name="shop",
            AuthorizationType="BASIC",
            AuthParameters=BASIC,
            KmsKeyIdentifier="11111111-2222-4333-8444-555555555555",
        )
    assert refused.value.response["Error"]["Code"] == "NotFoundException"
    assert events.list_connections()["Connections"] == []


def test_buses_are_not_here_and_say_so(events: Any) -> None:
    with pytest.raises(ClientError) as refused:
        events.list_event_buses()
    assert refused.value.response["Error"]["Code"] == "NotImplemented"


def test_secrets_are_not_in_the_store_as_they_are(events: Any, node: Any) -> None:
    events.create_connection(Name="shop", AuthorizationType="BASIC", AuthParameters=BASIC)
    files = list((node.data / "records").glob("events.db*"))
    assert files
    assert not any(b"open-sesame" in file.read_bytes() for file in files)
