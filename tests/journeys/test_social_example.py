"""The social app of one Swagger file: accounts, tokens, posts, comments, likes; what is refused, and how; its document and its client."""

import io
import json
import shutil
import subprocess
import urllib.error
import urllib.request
import zipfile
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.journeys.examples import ACCOUNT, EXAMPLES, deploy

ANN = {"name": "ann", "password": "correct horse"}


class Answer:
    """What the API said."""

    def __init__(self, status: int, headers: Message, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.said: Any = json.loads(body) if body else None


class App:
    """The deployed example."""

    def __init__(self, node: Any) -> None:
        self.node = node
        printed = dict(line.split("=", 1) for line in deploy(node, "social").splitlines())
        self.id, self.key = printed["API"], printed["KEY"]
        assert printed["URL"].endswith(f"{node.endpoint.rpartition(':')[2]}/dev")
        self.gateway = node.client("apigateway", ACCOUNT)

    def ask(self, method: str, path: str, body: Any = None, token: str = "", **headers: str) -> Answer:
        """By path, since not every machine resolves names under localhost."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if token:
            sent["Authorization"] = f"Bearer {token}"
        url = f"{self.node.endpoint}/_aws/execute-api/{self.id}/dev{path}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, sent, method=method), timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def joined(self, name: str) -> str:
        """A new account's token."""
        account = {"name": name, "password": "correct horse"}
        assert self.ask("POST", "/accounts", account).status == 201
        token = self.ask("POST", "/sessions", account).said["token"]
        assert token.startswith(f"{name}.")
        return str(token)


@pytest.fixture
def app(strict: Any) -> App:
    return App(strict)


def test_a_social_app_of_one_swagger_file(app: App, tmp_path: Path) -> None:
    ann, ben = app.joined("ann"), app.joined("ben")
    refused_accounts(app)
    post = posts_and_comments(app, ann, ben)
    refused_posts(app, post, ann, ben)
    pages(app, ann)
    browsers(app)
    partners(app)
    as_a_document(app)
    if shutil.which("node") is not None:
        by_the_client(app, tmp_path)


def refused_accounts(app: App) -> None:
    assert app.ask("POST", "/accounts", ANN).said == {"error": "The name ann is taken."}
    for wrong in (ANN | {"password": "wrong horse"}, ANN | {"name": "nobody"}):
        answer = app.ask("POST", "/sessions", wrong)
        assert (answer.status, answer.said) == (403, {"error": "Name or password is wrong."})
    bodies: list[Any] = [
        {"name": "ann"},
        ANN | {"name": "Ann!"},
        ANN | {"password": "short"},
        ANN | {"admin": True},
        [],
        "x",
    ]
    for bad in bodies:
        answer = app.ask("POST", "/accounts", bad)
        assert (answer.status, answer.said["error"]) == (400, "Invalid request body"), bad
        assert answer.said["rules"].startswith("A name is 2 to 20")
    assert app.ask("POST", "/accounts", ANN, Content_Type="text/plain").status == 415
    item = app.node.client("dynamodb", ACCOUNT).get_item(TableName="social-accounts", Key={"name": {"S": "ann"}})[
        "Item"
    ]
    assert b"correct horse" not in item["password"]["B"]


def posts_and_comments(app: App, ann: str, ben: str) -> str:
    """The post's id."""
    made = app.ask("POST", "/posts", {"text": "Hello, 'world' \N{WAVING HAND SIGN}"}, ann)
    assert (made.status, made.said["author"]) == (201, "ann")
    post = str(made.said["post"])
    for text in ("First!", "Second."):
        assert app.ask("POST", f"/posts/{post}/comments", {"text": text}, ben).said["author"] == "ben"
    assert app.ask("POST", f"/posts/{post}/likes", token=ann).said == {"likes": 1}
    assert app.ask("POST", f"/posts/{post}/likes", token=ben).said == {"likes": 2}
    assert app.ask("POST", f"/posts/{post}/likes", token=ben).said == {"likes": 2}
    read = app.ask("GET", f"/posts/{post}").said
    assert (read["text"], read["comments"], read["likes"]) == ("Hello, 'world' \N{WAVING HAND SIGN}", 2, 2)
    comments = app.ask("GET", f"/posts/{post}/comments").said["comments"]
    assert [comment["text"] for comment in comments] == ["First!", "Second."]
    return post


def refused_posts(app: App, post: str, ann: str, ben: str) -> None:
    text = {"text": "x"}
    for token in ("", "forged", f"ann.99999999999.{ann.rpartition('.')[2]}", ann.replace("ann.", "ben."), "a b"):
        answer = app.ask("POST", "/posts", text, token)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), token
        assert answer.said["error"].startswith("Log in first")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    bodies: list[Any] = [{"text": ""}, {"text": "x" * 1001}, {"text": 1}, {}, text | {"author": "ann"}]
    for bad in bodies:
        assert app.ask("POST", "/posts", bad, ben).status == 400, bad
    assert app.ask("DELETE", f"/posts/{post}", token=ben).said == {"error": "This is ann's post."}
    for method, path, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/comments", text),
        ("POST", "/likes", None),
    ):
        missing = app.ask(method, f"/posts/none{path}", body, ann)
        assert (missing.status, missing.said) == (404, {"error": "There is no such post."}), path
    # What would be DynamoDB's own words in a request stays a post's id.
    injected = app.ask("POST", "/posts/%22%7D%7D,%22TableName%22:%22social-accounts/likes", token=ann)
    assert injected.status == 404
    elsewhere = app.ask("GET", "/elsewhere")
    assert (elsewhere.status, elsewhere.said) == (403, {"error": "Missing Authentication Token"})
    assert app.ask("DELETE", f"/posts/{post}", token=ann).said == {"deleted": post}
    assert app.ask("GET", f"/posts/{post}").status == 404
    assert app.ask("GET", f"/posts/{post}/comments").said == {"comments": []}


def pages(app: App, ann: str) -> None:
    for number in range(23):
        app.ask("POST", "/posts", {"text": str(number)}, ann)
    first = app.ask("GET", "/posts").said["posts"]
    second = app.ask("GET", f"/posts?before={first[-1]['post']}").said["posts"]
    assert [post["text"] for post in first + second] == [str(number) for number in reversed(range(23))]


def browsers(app: App) -> None:
    asked = {"Origin": "http://app.example", "Access_Control_Request_Method": "POST"}
    for path in ("/accounts", "/posts", "/posts/1/comments", "/feed"):
        answer = app.ask("OPTIONS", path, **asked)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert app.ask("GET", "/posts", Origin="http://app.example").headers["Access-Control-Allow-Origin"] == "*"


def partners(app: App) -> None:
    """Five at once, then 429; after fifty on one day, 429 until tomorrow."""
    for key in ("", "wrong"):
        assert app.ask("GET", "/feed", x_api_key=key).said == {"error": "Forbidden"}
    answers: list[int] = []
    while len(answers) < 200 and 429 not in answers:
        answers.append(app.ask("GET", "/feed", x_api_key=app.key).status)
    assert answers[:5] == [200] * 5
    assert answers[-1] == 429
    said: Any = None
    for _ in range(60):
        app.node.post("/_cumulet/clock", {"advance": 2})
        said = app.ask("GET", "/feed", x_api_key=app.key)
        if said.status != 200:
            break
    assert (said.status, said.said) == (429, {"error": "Limit Exceeded"})
    app.node.post("/_cumulet/clock", {"advance": 24 * 3600})
    assert app.ask("GET", "/feed", x_api_key=app.key).status == 200


def as_a_document(app: App) -> None:
    """What is exported can be imported, and is the same API again."""
    exported = exported_document(app, app.id)
    document = yaml.safe_load(exported)
    assert "&id" not in exported
    assert set(document["paths"]) == set(yaml.safe_load((EXAMPLES / "social/social.yaml").read_text())["paths"])
    assert document["paths"]["/posts"]["post"]["security"] == [{"session": []}]
    assert document["paths"]["/feed"]["get"]["security"] == [{"api_key": []}]
    again = app.gateway.import_rest_api(body=exported.encode(), failOnWarnings=True)["id"]
    app.gateway.create_deployment(restApiId=again, stageName="dev")
    assert exported_document(app, again).replace(again, app.id) == exported


def exported_document(app: App, api: str) -> str:
    answer = app.gateway.get_export(
        restApiId=api,
        stageName="dev",
        exportType="swagger",
        accepts="application/yaml",
        parameters={"extensions": "apigateway"},
    )
    return str(answer["body"].read().decode())


def by_the_client(app: App, folder: Path) -> None:
    sdk = app.gateway.get_sdk(restApiId=app.id, stageName="dev", sdkType="javascript")
    zipfile.ZipFile(io.BytesIO(sdk["body"].read())).extractall(folder)
    command = ["node", str(EXAMPLES / "social/visit.js"), str(folder / "apiGateway-js-sdk"), "cleo"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "cleo: Hello, I am cleo. (1 comment, 1 like)",
        "400: A name is 2 to 20 small letters and digits, a password 8 to 100 characters, a text 1 to 1000.",
    ]
