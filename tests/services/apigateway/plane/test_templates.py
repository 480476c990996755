"""What mapping templates see of requests, as recorded from AWS."""

import contextlib
import json
import time
from typing import Any

import pytest

from cumulet.services.apigateway.plane import templates
from cumulet.services.apigateway.plane.templates import TakesLong, TemplateError


def render(text: str, body: str = "", context: dict[str, Any] | None = None) -> str:
    return templates.render(
        text,
        body=body,
        headers={"X-Name": "header", "both": "header"},
        query={"q": "query", "both": "query"},
        path={"id": "7"},
        context=context if context is not None else {"stage": "dev", "identity": {"sourceIp": "1.2.3.4"}},
        stage_variables={"url": "there"},
    )


JSON = '{"a": {"b": [1, {"c": "x/y"}], "d": 1.5, "n": null}, "t": "it\'s \\"quoted\\""}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$input.body", JSON),
        (
            "$input.path('$.a.d') $input.path('$.a.b') $input.path('$.a')",
            '1.5 [1,{"c":"x/y"}] {b=[1,{"c":"x/y"}], d=1.5, n=null}',
        ),
        ("$input.path('$.a.b[1].c') $input.path('$').a.b[0] $input.path('$.a.b').size()", "x/y 1 2"),
        ("$input.path('t')", 'it\'s "quoted"'),
        ("$input.json('$.a')", '{"b":[1,{"c":"x/y"}],"d":1.5,"n":null}'),
        ("$input.json('$.t') $input.json('$.none')", '"it\'s \\"quoted\\"" ""'),
        ("$input.path('$.a.b[*].c')", '["x/y"]'),
        (
            "$input.params('id')$input.params('q')$input.params('x-name')$input.params('both')|$input.params('z')|",
            "7queryheaderquery||",
        ),
        (
            "$input.params().path.id $input.params().header.get('X-Name') $input.params().keySet()",
            "7 header [path, querystring, header]",
        ),
        ("$context.stage $context.identity.sourceIp [$context.identity] [$context.none.x]", "dev 1.2.3.4 [] []"),
        ("#foreach($k in $context.keySet())$k #end", "stage identity "),
        ("$stageVariables.url $stageVariables.get('url')", "there there"),
        ("$util.escapeJavaScript($input.path('$.t'))", 'it\\\'s \\"quoted\\"'),
        ("$util.escapeJavaScript(\"é\n\")$util.escapeJavaScript('a\\b')", "\\u00E9\\na\\\\b"),
        ("$util.escapeJavaScript($input.path('$.t')).replaceAll(\"\\\\'\",\"'\")", 'it\'s \\"quoted\\"'),
        ("$util.urlEncode('a b&c=é*') $util.urlDecode('a+b%26')", "a+b%26c%3D%C3%A9* a b&"),
        ("$util.base64Encode('hi') $util.base64Decode('aGk=') [$util.base64Encode($none)]", "aGk= hi []"),
        ("$util.parseJson('[{\"a\": 1}]')[0].a $util.parseJson('true')", "1 true"),
        ("$util.other('x')$none", ""),
    ],
)
def test_rendered(text: str, expected: str) -> None:
    assert render(text, JSON) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$input.body", "{}"),
        ("$util.urlEncode($input.body)&$util.urlEncode($input.body.testAccess)", "%7B%7D&"),
        ("#set($r = $input.path('$.none'))$r $r.nested #if($r == $null)null#end#if($r == '')empty#end", "  nullempty"),
        ("$input.json('$')", "{}"),
    ],
)
def test_without_a_body(text: str, expected: str) -> None:
    assert render(text) == expected


def test_a_body_that_is_no_json() -> None:
    assert (
        render("$input.body|$input.path('$.a')|$input.json('$.a')|$input.json('$')", "some text")
        == 'some text||""|"some text"'
    )


def test_an_empty_list_is_not_null() -> None:
    text = '#set($r = $input.path("$.l")){"body": $r, #if($r == $null)"null"#else"list"#end}'
    assert render(text, '{"l": []}') == '{"body": [], "list"}'
    assert render(text, '{"l": null}') == '{"body": , "null"}'


def test_overrides_are_set_in_place() -> None:
    context: dict[str, Any] = {
        "requestOverride": {"header": {}, "querystring": {}, "path": {}},
        "responseOverride": {"header": {}},
    }
    text = """#set($name = "foo")
#set($context.requestOverride.querystring[$name] = "bar")
#set($context["requestOverride"].querystring["nested"] = "x")
$context.requestOverride.querystring.put("put", "y")
#set($context.requestOverride.header.X-Amz-Target = "AWSEvents.PutEvents")
#set($context.responseOverride.status = 444)
#set($context.responseOverride.custom = "kept")
$context.responseOverride.status $context.requestOverride.querystring["nested"]"""
    assert render(text, context=context).strip() == "444 x"
    assert context["requestOverride"]["querystring"] == {"foo": "bar", "nested": "x", "put": "y"}
    assert context["requestOverride"]["header"] == {"X-Amz-Target": "AWSEvents.PutEvents"}
    assert context["responseOverride"] == {"header": {}, "status": 444, "custom": "kept"}


def test_a_loop_goes_round_a_thousand_times() -> None:
    assert render("#foreach($i in [1..5000])x#end") == "x" * 1000


@pytest.mark.parametrize(
    "text", ["#if", "$input.path('$.[')", "$util.parseJson('{')", "$util.base64Decode('a')", "$input.body.substring(9)"]
)
def test_what_cannot_be_applied_is_an_error(text: str) -> None:
    with pytest.raises(TemplateError):
        render(text)


def test_paths_of_one_template_share_their_work() -> None:
    wide = str([[[1] * 20] * 20] * 20)
    text = "#foreach($i in [1..1000])#set($x = $input.path('$..*'))#end"
    with pytest.raises(TemplateError, match="too much work"):
        render(text, wide)


@pytest.mark.parametrize(
    "text",
    [
        "#set($r = [1..1000])#foreach($a in $r)#foreach($b in $r)x#end#end",
        '#foreach($i in [1..1000])$input.path("$..*")#end',
        '#foreach($i in [1..1000])$input.json("$")#end',
        '#set($s = "' + "a" * 500 + '")#foreach($i in [1..900])#set($x = $s.replaceAll("a*c", ""))#end',
        "x" * 20_000,
    ],
    ids=["loops", "paths", "documents", "expressions", "long"],
)
def test_what_takes_long_is_told_early(text: str) -> None:
    """Such templates are applied on a thread."""
    body = json.dumps({"a": list(range(2000))})
    given: dict[str, Any] = {"body": body, "headers": {}, "query": {}, "path": {}, "context": {}, "stage_variables": {}}
    began = time.process_time()
    with pytest.raises(TakesLong):
        templates.render(text, **given, quick=True)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("part", ["$", "\\\\$a", "$a.", "${", "#{", "#* *#", "$a\n", "#foo("])
def test_long_templates_are_read_in_proportion_to_their_length(part: str) -> None:
    """A template of 300 KB took up to a minute: a hundred times as long as a tenth of it."""

    def took(size: int) -> float:
        given: dict[str, Any] = {name: {} for name in ("headers", "query", "path", "context", "stage_variables")}
        began = time.process_time()
        with contextlib.suppress(TemplateError):
            templates.render(part * (size // len(part)), body="", **given)
        return time.process_time() - began

    whole = took(300_000)
    assert whole < 5 or whole < 50 * took(30_000)
