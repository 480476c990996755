"""Environments that serve several invocations at once, in each kind of runtime.

Functions meet each other through /tmp, which the invocations of one environment share: none of these tests looks at a clock.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from tests.compute.conftest import Machine, make_machine
from tests.compute.test_node_runtime import make as make_node  # noqa: F401 - a fixture
from tests.compute.test_node_runtime import version  # noqa: F401 - a fixture
from tests.compute.test_runtime_api import make as make_provided  # noqa: F401 - a fixture

_PYTHON = """
    import json, logging, os, pathlib, time
    number = 0
    tmp = pathlib.Path("/tmp")

    def meet(name, count, folder="met"):
        (tmp / folder).mkdir(exist_ok=True)
        (tmp / folder / name).touch()
        while len(list((tmp / folder).iterdir())) < count:
            time.sleep(0.01)

    def handler(event, context):
        global number
        number += 1
        if "meet" in event:
            meet(context.aws_request_id, event["meet"], event.get("folder", "met"))
        logging.getLogger().warning("hello of " + event.get("name", ""))
        match event.get("do"):
            case "raise":
                raise ValueError("wrong")
            case "crash":
                os._exit(3)
            case "die":
                os.kill(os.getpid(), 9)
            case "sleep":
                time.sleep(event["for"])
            case "wait":
                while not (tmp / event["until"]).exists():
                    time.sleep(0.01)
            case "touch":
                (tmp / event["name"]).touch()
            case "eat":
                eaten = [b"x" * (1 << 20)  for _ in range(4000)]
        return {
            "id": context.aws_request_id, "pid": os.getpid(), "number": number,
            "trace": os.environ.get("_X_AMZN_TRACE_ID"), "most": os.environ["AWS_LAMBDA_MAX_CONCURRENCY"],
        }
"""
_JSON = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}


def ids(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def at_once(machine: Machine, spec: dict[str, Any], events: list[Any], **more: Any) -> list[dict[str, Any]]:
    """Outcomes of invocations that are all sent before the first answer is read."""
    requests = [
        {"do": "invoke", "spec": spec, "payload": json.dumps(event), "request_id": id_, "trace": f"Root={id_}", **more}
        for event, id_ in zip(events, ids(len(events)), strict=True)
    ]
    answers = machine.ask_all(requests)
    for answer, request in zip(answers, requests, strict=True):
        answer["request_id"] = request["request_id"]
    return answers


def results(outcomes: list[dict[str, Any]]) -> list[Any]:
    assert [outcome.get("error") for outcome in outcomes] == [None] * len(outcomes), outcomes
    return [json.loads(outcome["payload"]) for outcome in outcomes]


def test_invocations_of_python_meet_in_one_environment(machine: Machine) -> None:
    function = machine.function(_PYTHON, concurrency=4, environment=_JSON)
    outcomes = at_once(machine, function, [{"meet": 4, "name": str(n)} for n in range(4)])
    answers = results(outcomes)
    assert len({outcome["environment_id"] for outcome in outcomes}) == 1
    assert len({answer["pid"] for answer in answers}) == 4
    assert [answer["id"] for answer in answers] == [outcome["request_id"] for outcome in outcomes]
    assert [answer["trace"] for answer in answers] == [f"Root={outcome['request_id']}" for outcome in outcomes]
    assert {answer["most"] for answer in answers} == {"4"}
    assert [outcome["cold"] for outcome in outcomes].count(True) == 1


def test_what_is_logged_belongs_to_the_invocation_that_says_so(machine: Machine) -> None:
    function = machine.function(_PYTHON, concurrency=3, environment=_JSON)
    outcomes = at_once(machine, function, [{"meet": 3, "name": str(n)} for n in range(3)])
    results(outcomes)
    for number, outcome in enumerate(outcomes):
        [line] = outcome["logs"].splitlines()
        assert json.loads(line)["message"] == f"hello of {number}"
        assert json.loads(line)["requestId"] == outcome["request_id"]


def test_an_environment_is_filled_before_another_is_made(machine: Machine) -> None:
    function = machine.function(_PYTHON, concurrency=2, environment=_JSON)
    outcomes = at_once(machine, function, [{"meet": 2} for _ in range(6)])
    results(outcomes)
    used = [outcome["environment_id"] for outcome in outcomes]
    assert len(set(used)) == 3
    assert {used.count(one) for one in set(used)} == {2}
    again = at_once(machine, function, [{"do": "sleep", "for": 0.1} for _ in range(3)])
    assert len({outcome["environment_id"] for outcome in again}) == 3  # the least loaded each time
    assert {outcome["environment_id"] for outcome in again} == set(used)


def test_there_are_no_more_environments_than_allowed(machine: Machine) -> None:
    function = machine.function(_PYTHON, concurrency=2, max_environments=1, environment=_JSON)
    outcomes = at_once(machine, function, [{"meet": 2} for _ in range(5)])
    assert sum("no_room" in outcome for outcome in outcomes) == 3
    results([outcome for outcome in outcomes if "no_room" not in outcome])


def test_an_error_is_of_one_invocation_alone(machine: Machine) -> None:
    function = machine.function(_PYTHON, concurrency=3, environment=_JSON)
    outcomes = at_once(machine, function, [{"meet": 3}, {"meet": 3, "do": "raise"}, {"meet": 3}])
    assert [outcome["error"] for outcome in outcomes] == [None, "handled", None]
    assert json.loads(outcomes[1]["payload"])["errorType"] == "ValueError"
    assert "wrong" in outcomes[1]["logs"]
    assert "wrong" not in outcomes[0]["logs"] + outcomes[2]["logs"]


@pytest.mark.parametrize(("do", "detail"), [("crash", "exit status 3"), ("die", "signal: killed")])
def test_a_process_that_ends_takes_no_other_with_it(machine: Machine, do: str, detail: str) -> None:
    function = machine.function(_PYTHON, concurrency=3, environment=_JSON)
    outcomes = at_once(machine, function, [{"meet": 3}, {"meet": 3, "do": do}, {"meet": 3}])
    assert [outcome["error"] for outcome in outcomes] == [None, "crash", None]
    assert json.loads(outcomes[1]["payload"]) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {outcomes[1]['request_id']} Error: Runtime exited with error: {detail}",
    }
    again = at_once(machine, function, [{"meet": 3, "folder": "again"} for _ in range(3)])  # another took its place
    results(again)
    assert {outcome["environment_id"] for outcome in again} == {outcomes[0]["environment_id"]}


def test_a_timeout_is_of_one_invocation_alone(machine: Machine) -> None:
    function = machine.function(_PYTHON, concurrency=2, environment=_JSON, timeout=2.0)
    late = machine.send({
        "do": "invoke", "spec": function, "payload": json.dumps({"do": "wait", "until": "go"}), "request_id": "late",
    })  # fmt: skip
    id_, outcome = machine.receive()
    assert (id_, outcome["error"]) == (late, "timeout")
    assert "Task timed out after 2.00 seconds" in outcome["payload"]
    patient = {**function, "timeout": 60.0}
    first = machine.invoke(patient, {}, request_id="first")
    assert (first["error"], first["environment_id"]) == (None, outcome["environment_id"])  # it goes on in its place
    machine.result(patient, {"do": "touch", "name": "go"}, request_id="second")
    while [one["state"] for one in machine.ask("environments") if one["key"] == function["key"]] != ["idle"]:
        pass  # it leaves it in the end
    both = at_once(machine, patient, [{"meet": 2}, {"meet": 2}])
    results(both)
    assert {one["environment_id"] for one in both} == {outcome["environment_id"]}


def test_an_environment_full_of_what_nobody_waits_for_is_replaced(machine: Machine) -> None:
    function = machine.function(_PYTHON, concurrency=2, environment=_JSON, timeout=1.0)
    outcomes = at_once(machine, function, [{"do": "sleep", "for": 60} for _ in range(2)])
    assert [outcome["error"] for outcome in outcomes] == ["timeout", "timeout"]
    after = machine.invoke({**function, "timeout": 60.0}, {}, request_id="after")
    assert after["error"] is None
    assert after["environment_id"] != outcomes[0]["environment_id"]


def test_want_of_memory_ends_all(machine: Machine) -> None:
    if machine.level == "rootless":
        pytest.skip("rootless: memory is watched by process")
    function = machine.function(_PYTHON, concurrency=2, environment=_JSON)
    outcomes = at_once(machine, function, [{"meet": 2, "do": "sleep", "for": 60}, {"meet": 2, "do": "eat"}])
    assert [outcome["error"] for outcome in outcomes] == ["oom", "oom"]
    assert machine.invoke(function, {}, request_id="after")["error"] is None


def test_what_cannot_be_loaded_fails_for_all(machine: Machine) -> None:
    function = machine.function("import nothing_like_this", concurrency=3, environment=_JSON)
    outcomes = at_once(machine, function, [{}, {}, {}])
    assert [outcome["error"] for outcome in outcomes] == ["init"] * 3
    assert {json.loads(outcome["payload"])["errorType"] for outcome in outcomes} == {"Runtime.ImportModuleError"}
    assert not [one for one in machine.ask("environments") if one["key"] == function["key"]]


_NODE = """
    const fs = require('fs');
    let number = 0;
    const nap = () => new Promise((resolve) => setTimeout(resolve, 10));
    exports.handler = async (event, context) => {
      number += 1;
      fs.mkdirSync('/tmp/met', { recursive: true });
      fs.writeFileSync(`/tmp/met/${context.awsRequestId}`, '');
      while (fs.readdirSync('/tmp/met').length < (event.meet ?? 0)) await nap();
      console.log(`hello of ${event.name}`);
      if (event.do === 'raise') throw new TypeError('wrong');
      if (event.do === 'crash') setTimeout(() => { throw new Error('lost'); }, 1);
      if (event.do === 'wait') await new Promise(() => setTimeout(() => {}, 60000));
      await nap(); await nap();
      return {
        id: context.awsRequestId, number, most: process.env.AWS_LAMBDA_MAX_CONCURRENCY,
        env: process.env._X_AMZN_TRACE_ID ?? null, trace: awslambda.InvokeStore.getXRayTraceId(),
        known: awslambda.InvokeStore.getRequestId(),
      };
    };
"""


@pytest.fixture
def node(make_node: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:  # noqa: F811 - the fixture
    return lambda source=_NODE, **spec: make_node(
        source, environment={"AWS_LAMBDA_LOG_FORMAT": "JSON", **spec.pop("environment", {})}, **spec
    )


@pytest.mark.parametrize("threads", ["1", "2"])
def test_invocations_of_node_meet_in_one_environment(
    machine: Machine, node: Callable[..., dict[str, Any]], threads: str
) -> None:
    function = node(concurrency=4, environment={"AWS_LAMBDA_NODEJS_WORKER_COUNT": threads}, memory_mb=512)
    outcomes = at_once(machine, function, [{"meet": 4, "name": str(n)} for n in range(4)])
    answers = results(outcomes)
    assert len({outcome["environment_id"] for outcome in outcomes}) == 1
    for number, (outcome, answer) in enumerate(zip(outcomes, answers, strict=True)):
        id_ = outcome["request_id"]
        assert answer | {"number": 0} == {
            "id": id_, "known": id_, "trace": f"Root={id_}", "env": None, "most": "4", "number": 0,
        }  # fmt: skip
        [line] = outcome["logs"].splitlines()
        assert (json.loads(line)["message"], json.loads(line)["requestId"]) == (f"hello of {number}", id_)
    assert max(answer["number"] for answer in answers) == 4 // int(threads)


def test_an_error_of_node_is_of_one_invocation_alone(machine: Machine, node: Callable[..., dict[str, Any]]) -> None:
    function = node(concurrency=3)
    outcomes = at_once(machine, function, [{"meet": 3}, {"meet": 3, "do": "raise"}, {"meet": 3}])
    assert [outcome["error"] for outcome in outcomes] == [None, "handled", None]
    assert json.loads(outcomes[1]["payload"])["errorType"] == "TypeError"


def test_a_thread_of_node_that_ends_is_replaced(machine: Machine, node: Callable[..., dict[str, Any]]) -> None:
    function = node(concurrency=2, environment={"AWS_LAMBDA_NODEJS_WORKER_COUNT": "2"}, memory_mb=512)
    outcomes = at_once(machine, function, [{"meet": 2}, {"meet": 2, "do": "crash"}])
    assert [outcome["error"] for outcome in outcomes] == [None, "crash"]
    again = at_once(machine, function, [{}, {}])
    results(again)
    assert {outcome["environment_id"] for outcome in again} == {outcomes[0]["environment_id"]}
    assert any("lost" in line for line in machine.ask("lines", key=function["key"]))


def test_a_timeout_of_node_is_of_one_invocation_alone(machine: Machine, node: Callable[..., dict[str, Any]]) -> None:
    function = node(concurrency=3)
    late = {"do": "invoke", "spec": {**function, "timeout": 2.0}, "payload": '{"do": "wait"}', "request_id": "late"}
    other = {"do": "invoke", "spec": function, "payload": "{}", "request_id": "other"}
    outcomes = machine.ask_all([late, other])
    assert [outcome["error"] for outcome in outcomes] == ["timeout", None]
    after = machine.invoke(function, {}, request_id="after")
    assert (after["error"], after["environment_id"]) == (None, outcomes[0]["environment_id"])


def test_what_node_cannot_load_fails_for_all(machine: Machine, node: Callable[..., dict[str, Any]]) -> None:
    outcomes = at_once(machine, node("throw new RangeError('no')", concurrency=2), [{}, {}])
    assert [outcome["error"] for outcome in outcomes] == ["init"] * 2
    assert {json.loads(outcome["payload"])["errorType"] for outcome in outcomes} == {"RangeError"}


_PROVIDED = """
import threading
barrier = threading.Barrier(3)
def serve():
    connection = http.client.HTTPConnection(API)
    def ask(method, path, body=None):
        connection.request(method, "/2018-06-01" + path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    while True:
        _, headers, event = ask("GET", "/runtime/invocation/next")
        if json.loads(event).get("meet"):
            barrier.wait()
        id = headers["Lambda-Runtime-Aws-Request-Id"]
        assert ask("POST", "/runtime/invocation/unknown/response", b"1")[0] == 400
        assert ask("POST", f"/runtime/invocation/{id}/response", json.dumps({"id": id}).encode())[0] == 202
        assert ask("POST", f"/runtime/invocation/{id}/response", b"2")[0] == 400
threads = [threading.Thread(target=serve) for _ in range(int(os.environ["AWS_LAMBDA_MAX_CONCURRENCY"]))]
[thread.start() for thread in threads]
"""


def test_own_runtimes_ask_for_several_events_at_once(
    machine: Machine,
    make_provided: Callable[..., dict[str, Any]],  # noqa: F811 - the fixture
) -> None:
    function = make_provided(_PROVIDED, concurrency=3)
    outcomes = at_once(machine, function, [{"meet": True}] * 3)
    assert [answer["id"] for answer in results(outcomes)] == [outcome["request_id"] for outcome in outcomes]
    assert len({outcome["environment_id"] for outcome in outcomes}) == 1


def test_an_own_runtime_that_serves_one_at_a_time_gets_them_one_by_one(
    machine: Machine,
    make_provided: Callable[..., dict[str, Any]],  # noqa: F811 - the fixture
) -> None:
    function = make_provided("while True:\n    id, headers, event = take()\n    end(id, event)\n", concurrency=4)
    outcomes = at_once(machine, function, list(range(4)))
    assert results(outcomes) == list(range(4))
    assert len({outcome["environment_id"] for outcome in outcomes}) == 1


def test_the_end_of_an_own_runtime_is_the_end_of_all(
    machine: Machine,
    make_provided: Callable[..., dict[str, Any]],  # noqa: F811 - the fixture
) -> None:
    function = make_provided("take(); connection.close(); take(); os._exit(7)", concurrency=2)
    outcomes = at_once(machine, function, [1, 2])
    assert [(outcome["error"], outcome["detail"]) for outcome in outcomes] == [("crash", "exit status 7")] * 2


def test_a_retired_function_ends_what_it_does(machine: Machine) -> None:
    function = machine.function(_PYTHON, concurrency=2, environment=_JSON)
    machine.result(function, {}, request_id="first")
    sleeping = json.dumps({"do": "sleep", "for": 1})
    outcome, _, _ = machine.ask_all([
        {"do": "invoke", "spec": function, "payload": sleeping, "request_id": "second"},
        {"do": "retire", "key": function["key"]},
        {"do": "environments"},
    ])  # fmt: skip
    assert outcome["error"] is None
    assert not [one for one in machine.ask("environments") if one["key"] == function["key"]]


def test_a_timeout_before_the_runtime_has_it_leaves_nothing(
    machine: Machine,
    make_provided: Callable[..., dict[str, Any]],  # noqa: F811 - the fixture
) -> None:
    source = """
import time
id, headers, event = take()
time.sleep(3)
end(id, event)
while True:
    id, headers, event = take()
    end(id, event)
"""
    function = make_provided(source, concurrency=4, timeout=1.0)
    outcomes = at_once(machine, function, [1, 2])
    assert [outcome["error"] for outcome in outcomes] == ["timeout"] * 2
    while machine.invoke(function, 3, request_id=str(uuid.uuid4()))["error"] is not None:
        pass  # the first is still at work
    outcome = machine.invoke({**function, "timeout": 60.0}, 4, request_id="last")
    assert (outcome["payload"], outcome["environment_id"]) == ("4", outcomes[0]["environment_id"])


def test_another_attempt_is_not_answered_by_the_first(machine: Machine) -> None:
    function = machine.function(_PYTHON, concurrency=2, environment=_JSON, timeout=1.0)
    first = machine.invoke(function, {"do": "sleep", "for": 3}, request_id="same")
    second = machine.invoke({**function, "timeout": 60.0}, {}, request_id="same")
    assert (first["error"], second["error"]) == ("timeout", None)
    assert first["environment_id"] != second["environment_id"]


def test_plain_processes_serve_several_too() -> None:
    with make_machine("process") as plain:
        function = plain.function(_PYTHON.replace('"/tmp"', repr(str(plain.folder))), concurrency=3, environment=_JSON)
        outcomes = at_once(plain, function, [{"meet": 3, "folder": "side-by-side"} for _ in range(3)])
        results(outcomes)
        assert len({outcome["environment_id"] for outcome in outcomes}) == 1
