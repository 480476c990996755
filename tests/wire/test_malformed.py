"""Input that no client of AWS's sends: an AWS error, never another exception."""

import asyncio

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.wire.oracle import content_of
from tests.wire.requests import form, json, request

from cumulet.kernel.errors import AwsError
from cumulet.wire import route
from cumulet.wire.http import HttpRequest
from cumulet.wire.xml import MalformedXml, parse

FUZZ = settings(
    derandomize=True, database=None, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck)
)
CBOR = "/service/GraniteServiceVersion20100801/operation/PutMetricData"


def refusal(sent: HttpRequest) -> AwsError:
    with pytest.raises(AwsError) as raised:
        route.resolve(sent).decode(sent)
    return raised.value


def survives(sent: HttpRequest) -> None:
    """The request means something, or is refused in its protocol; anything else that it raises fails the test."""
    try:
        found = route.resolve(sent)
    except route.RouteError as error:
        status = error.answer("r").status
    else:
        status = outcome(found, sent)
    assert status == 200 or 400 <= status < 500 or status == 501


def outcome(found: route.Route, sent: HttpRequest) -> int:
    try:
        found.decode(sent)
    except AwsError as error:
        return found.codec.encode_error(error, "r").status
    return 200


@pytest.mark.parametrize(
    "content", [b"{", b"[1]", b"null", b'"x"', b"\xff", b"[" * 200_000, b'{"a":' * 100_000, b'{"QueueUrl":"\\ud800"']
)
def test_malformed_json(content: bytes) -> None:
    assert refusal(json("AmazonSQS.SendMessage", content)).code == "SerializationException"
    assert refusal(request("POST", "/2015-03-31/functions", content=content)).code == "SerializationException"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"QueueUrl":"a","MessageBody":5}', "NUMBER_VALUE can not be converted to a String"),
        (b'{"QueueUrl":"a","MessageBody":true}', "TRUE_VALUE can not be converted to a String"),
        (b'{"QueueUrl":"a","MessageBody":{}}', "Start of structure or map found where not expected."),
        (b'{"QueueUrl":"a","MessageBody":[]}', "Start of list found where not expected"),
        (b'{"QueueUrl":"a","MessageBody":"b","DelaySeconds":"x"}', "STRING_VALUE can not be converted to an Integer"),
        (b'{"QueueUrl":"a","MessageBody":"b","DelaySeconds":1e30}', "NUMBER_VALUE can not be converted to an Integer"),
        (b'{"QueueUrl":"a","MessageBody":"b","MessageAttributes":"x"}', "Unexpected field type"),
    ],
)
def test_wrong_types(content: bytes, message: str) -> None:
    error = refusal(json("AmazonSQS.SendMessage", content))
    assert (error.code, error.message) == ("SerializationException", message)


def test_wrong_types_where_java_classes_are_told() -> None:
    content = b'{"type":"HTTP","requestParameters":{"a":true}}'
    error = refusal(
        request("PUT", "/restapis/a/resources/b/methods/GET/integration", content=content, scope="apigateway")
    )
    assert error.message == "class java.lang.Boolean can not be converted to an String"


DYNAMODB = "com.amazonaws.dynamodb.v20120810"
PARAMETERS = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl"
CAST = (
    f"{PARAMETERS} cannot be cast to class java.lang.Class ({PARAMETERS.removeprefix('class ')} and java.lang.Class"
    " are in module java.base of loader 'bootstrap')"
)
MAP = "Unrecognized collection type java.util.Map"


@pytest.mark.parametrize(
    ("operation", "content", "message"),
    [
        ("PutItem", '{"TableName":5}', "NUMBER_VALUE cannot be converted to String"),
        ("PutItem", '{"TableName":[]}', "Unrecognized collection type class java.lang.String"),
        ("PutItem", '{"TableName":{}}', "Start of structure or map found where not expected"),
        ("PutItem", '{"Item":"x"}', "Unexpected field type"),
        ("PutItem", '{"Item":[]}', f"{MAP}<java.lang.String, {DYNAMODB}.AttributeValue>"),
        ("PutItem", '{"Item":{"a":5}}', "Unexpected value type in payload"),
        ("PutItem", '{"Item":{"a":[]}}', f"Unrecognized collection type class {DYNAMODB}.AttributeValue"),
        ("PutItem", '{"Item":{"a":{"B":5}}}', "only base-64-encoded strings are convertible to bytes"),
        (
            "PutItem",
            '{"Item":{"a":{"B":"abcde"}}}',
            "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
        ),
        ("PutItem", '{"Item":{"a":{"B":"=+/="}}}', "Invalid last non-pad Base64 character dectected"),
        ("PutItem", '{"Item":{"a":{"BOOL":"maybe"}}}', "Unexpected token received from parser"),
        ("PutItem", '{"Item":{"a":{"L":[true]}}}', "Unexpected value type in payload"),
        ("PutItem", '{"Item":{"a":{"SS":[2.5]}}}', "DECIMAL_VALUE cannot be converted to String"),
        ("PutItem", '{"Expected":{"a":{"Value":5}}}', "Unexpected field type"),
        ("PutItem", '{"ExpressionAttributeNames":[]}', f"{MAP}<java.lang.String, java.lang.String>"),
        (
            "BatchWriteItem",
            '{"RequestItems":[]}',
            f"{MAP}<java.lang.String, java.util.List<{DYNAMODB}.WriteRequest>>",
        ),
        (
            "BatchWriteItem",
            '{"RequestItems":{"a":1}}',
            CAST,
        ),
        ("Scan", '{"Limit":"5"}', "STRING_VALUE cannot be converted to Integer"),
        ("Scan", '{"Limit":true}', "TRUE_VALUE cannot be converted to Integer"),
    ],
)
def test_wrong_types_as_dynamodb_tells_of_them(operation: str, content: str, message: str) -> None:
    error = refusal(json(f"DynamoDB_20120810.{operation}", content.encode()))
    assert (error.code, error.message) == ("SerializationException", message)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"TableName":}'])
def test_dynamodb_has_no_words_for_what_is_no_json(content: bytes) -> None:
    sent = json("DynamoDB_20120810.ListTables", content)
    found = route.resolve(sent)
    with pytest.raises(AwsError) as raised:
        found.decode(sent)
    answer = asyncio.run(content_of(found.codec.encode_error(raised.value, "r").body))
    assert msgspec.json.decode(answer) == {"__type": "com.amazon.coral.service#SerializationException"}


@pytest.mark.parametrize(
    ("sent", "told"), [('"Yes"', True), ('"1"', True), ('"false"', False), ('"NO"', False), ("true", True)]
)
def test_dynamodb_takes_texts_for_booleans(sent: str, told: bool) -> None:
    asked = json("DynamoDB_20120810.PutItem", f'{{"TableName":"abc","Item":{{"a":{{"BOOL":{sent}}}}}}}'.encode())
    assert route.resolve(asked).decode(asked).item["a"].bool is told


def test_dynamodb_cuts_fractions_of_integers_off() -> None:
    asked = json("DynamoDB_20120810.Scan", b'{"TableName":"abc","Limit":2.7}')
    assert route.resolve(asked).decode(asked).limit == 2


@pytest.mark.parametrize(
    "content",
    [
        b"<a",
        b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><Tagging><TagSet/></Tagging>',
        b"<a>" * 200,
        b"\xff\xfe",
        b'<?xml version="1.0" encoding="nonsense"?><Tagging/>',
    ],
)
def test_malformed_xml(content: bytes) -> None:
    assert refusal(request("PUT", "/b?tagging", content=content, scope="s3")).code == "MalformedXML"


@pytest.mark.parametrize(
    "document",
    [
        b"<a>" + b"<b/>" * 10_000 + b"</a>",
        b"<a>" + b"<b/>" * 3_000_000 + b"</a>",
        b"<a " + b" ".join(b'b%d="c"' % i for i in range(50_000)) + b"/>",
        b"<a>" + b"&amp;" * 100_000 + b"</a>",
    ],
    ids=["elements", "a great many elements", "attributes", "text"],
)
def test_xml_is_bounded(document: bytes) -> None:
    with pytest.raises(MalformedXml):
        parse(document)


def test_as_many_parts_as_an_upload_may_have() -> None:
    part = b"<Part><PartNumber>%d</PartNumber><ETag>e</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>"
    parts = b"".join(part % number for number in range(1, 10_001))
    document = b"<CompleteMultipartUpload>" + parts + b"</CompleteMultipartUpload>"
    sent = request("POST", "/b/k?uploadId=u", content=document, scope="s3")
    assert len(route.resolve(sent).decode(sent).multipart_upload.parts) == 10_000


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"\x9b\x7f" + b"\xff" * 7,
        b"\x81" * 10_000,
        b"\xa0\xa0",
        b"\xc1\x61a",
        b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_malformed_cbor(content: bytes) -> None:
    assert refusal(request("POST", CBOR, content=content)).code == "SerializationException"


def test_absurd_forms() -> None:
    with pytest.raises(route.RouteError):
        route.resolve(form("a=b&" * 30_000 + "Action=ListQueues", scope="sqs"))
    deep = ".".join("a" * 1000)
    assert refusal(form(f"Action=ListQueues&{deep}=1", scope="sqs")).code == "MalformedQueryString"
    assert (
        refusal(form("Action=SendMessage&QueueUrl=a&MessageBody=b&DelaySeconds=x", scope="sqs")).code
        == "MalformedInput"
    )


@FUZZ
@given(
    st.binary(max_size=60),
    st.sampled_from(["AmazonSQS.SendMessage", "Logs_20140328.PutLogEvents", "DynamoDB_20120810.PutItem"]),
)
def test_any_json_body(content: bytes, target: str) -> None:
    survives(json(target, content))


@FUZZ
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["QueueUrl", "MessageBody", "MessageAttributes", "a", "StringValue", "DataType"]),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_json_value(value: object) -> None:
    import json as plain

    survives(json("AmazonSQS.SendMessage", plain.dumps(value).encode()))
    survives(request("POST", "/2015-03-31/functions", content=plain.dumps(value).encode()))


@FUZZ
@given(st.binary(max_size=60))
def test_any_cbor(content: bytes) -> None:
    survives(request("POST", CBOR, content=content))


@FUZZ
@given(st.text(max_size=60), st.sampled_from(["sqs", "iam", "sts", "cloudformation"]))
def test_any_form(text: str, scope: str) -> None:
    survives(form(text, scope=scope))
    survives(form(f"Action=ListUsers&{text}", scope=scope))


@FUZZ
@given(
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "X"]),
    st.text(alphabet="/ab%2+.?&=é{}\x00", max_size=30),
    st.sampled_from(["", "s3", "lambda", "apigateway", "sqs", "execute-api", "xray"]),
    st.dictionaries(
        st.sampled_from(["host", "content-type", "x-amz-target", "x-amz-copy-source", "if-modified-since", "range"]),
        st.text(max_size=12),
    ),
    st.binary(max_size=20),
)
def test_any_request(method: str, target: str, scope: str, headers: dict[str, str], content: bytes) -> None:
    survives(request(method, "/" + target, headers=headers, scope=scope, content=content))
