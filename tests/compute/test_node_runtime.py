"""The Node.js runtime behaves as Lambda's: handlers, modules, errors, context, logs, memory."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import ROOT, SEARCH_PATH, Machine, make_machine

from cumulet.compute.runtimes.node import NodeRuntime

Make = Callable[..., dict[str, Any]]


def _version() -> int:
    binary = shutil.which("node", path=SEARCH_PATH)
    if binary is None:
        pytest.skip("no Node.js on this machine")
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    return int(answer.stdout[1:].split(".", maxsplit=1)[0])


@pytest.fixture(scope="module")
def version() -> int:
    return _version()


@pytest.fixture
def make(machine: Machine, version: int) -> Make:
    """`make({"index.js": source}, handler=...)` gives a function of the Node.js that is here."""

    def function(files: dict[str, str] | str, /, handler: str = "index.handler", **spec: Any) -> dict[str, Any]:
        made = machine.function("", runtime=f"nodejs{version}.x", handler=handler, **spec)
        write(Path(made["code"]), {"index.js": files} if isinstance(files, str) else files)
        return made

    return function


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def with_callbacks(version: int) -> None:
    if version >= 24:
        pytest.skip("Node.js 24 and later have no callback handlers")


def test_answers_with_the_handlers_result_as_json(machine: Machine, make: Make) -> None:
    function = make("exports.handler = async (event) => ({event, nothing: undefined});")
    assert machine.result(function, {"a": [1, "ü", None]}) == {"event": {"a": [1, "ü", None]}}
    assert machine.invoke(function)["cold"] is False
    assert machine.result(make("exports.handler = async () => {};")) is None


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"index.mjs": "await 1; export const handler = async () => 'ok';"}, "index.handler"),
        ({"index.cjs": "exports.handler = async () => 'ok';"}, "index.handler"),
        ({"package.json": '{"type":"module"}', "index.js": "export const handler = async () => 'ok';"}, "index.handler"),
        ({"package.json": '{"type":"module"}', "src/package.json": "{}", "src/a.js": "exports.handler = async () => 'ok';"}, "src/a.handler"),
        ({"src/lib/app.js": "exports.api = {get: {handler: async () => 'ok'}};"}, "src/lib/app.api.get.handler"),
        ({"node_modules/pkg/index.js": "exports.run = async () => 'ok';"}, "pkg.run"),
        ({"index.js": "exports.handler = async () => require('dep');", "node_modules/dep/index.js": "module.exports = 'ok'"}, "index.handler"),
        ({"index.mjs": "import dep from 'dep'; export const handler = async () => dep;",
          "node_modules/dep/package.json": '{"type":"module","main":"main.js"}', "node_modules/dep/main.js": "export default 'ok'"}, "index.handler"),
    ],
)  # fmt: skip
def test_finds_handlers_in_every_kind_of_module(
    machine: Machine, make: Make, files: dict[str, str], handler: str
) -> None:
    assert machine.result(make(files, handler=handler)) == "ok"


@pytest.mark.parametrize(
    "files",
    [
        {"index.js": "exports.handler = async () => require('layered');"},
        {"index.mjs": "import layered from 'layered'; export const handler = async () => layered;"},
    ],
)
def test_finds_the_packages_of_layers(machine: Machine, make: Make, files: dict[str, str], tmp_path: Path) -> None:
    layer = machine.folder / f"layer-{tmp_path.name}"
    write(layer, {"nodejs/node_modules/layered/index.js": "module.exports = 'from the layer'"})
    assert machine.result(make(files, layers=[str(layer)])) == "from the layer"


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        ("", "gone.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'gone'\nRequire stack:\n- /var/runtime/index.mjs"),
        ("require('left-pad')", "index.handler", "Runtime.ImportModuleError",
         "Error: Cannot find module 'left-pad'\nRequire stack:\n- /var/task/index.js\n- /var/runtime/index.mjs"),
        ("", "index.handler", "Runtime.HandlerNotFound", "index.handler is undefined or not exported"),
        ("exports.handler = 1", "index.handler", "Runtime.HandlerNotFound", "index.handler is not a function"),
        ("", "index", "Runtime.MalformedHandlerName", "Bad handler"),
        ("", "../index.handler", "Runtime.MalformedHandlerName",
         "'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names."),
        ("const = 1", "index.handler", "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token '='"),
        ("throw new TypeError('at load')", "index.handler", "TypeError", "at load"),
    ],
)  # fmt: skip
def test_says_why_a_handler_cannot_be_loaded(
    machine: Machine, make: Make, code: str, handler: str, kind: str, message: str
) -> None:
    outcome = machine.invoke(make(code, handler=handler))
    document = json.loads(outcome["payload"])
    assert outcome["error"] == "init"
    assert (document["errorType"], document["errorMessage"]) == (kind, message)
    assert document["trace"]
    assert "\tundefined\tERROR\tUncaught Exception \t{" in outcome["logs"]


@pytest.mark.parametrize("kind", ["async () => { throw new RangeError('no') }", "() => { throw new RangeError('no') }"])
def test_gives_an_error_with_its_trace(machine: Machine, make: Make, kind: str) -> None:
    function = make(f"exports.handler = {kind};")
    outcome = machine.invoke(function, request_id="r-1")
    document = json.loads(outcome["payload"])
    assert outcome["error"] == "handled"
    assert (document["errorType"], document["errorMessage"]) == ("RangeError", "no")
    assert document["trace"][0] == "RangeError: no"
    assert "/var/task/index.js:1:" in document["trace"][1]
    assert re.match(r'\S+Z\tr-1\tERROR\tInvoke Error \t\{"errorType":"RangeError"', outcome["logs"])
    assert machine.invoke(function)["cold"] is False, "an error leaves the environment as it is"


@pytest.mark.usefixtures("with_callbacks")
@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("callback(null, event)", 7),
        ("setTimeout(() => callback(null, 'late'), 20)", "late"),
        ("callback(null, 1); callback(null, 2)", 1),
        ("callback(null, 1); throw new Error('after')", 1),
        ("callback()", None),
        ("", None),
        ("context.succeed(3)", 3),
        ("context.done(null, 4)", 4),
        ("context.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); callback(null, 5)", 5),
    ],
)
def test_serves_callback_handlers(machine: Machine, make: Make, body: str, answer: object) -> None:
    function = make(f"exports.handler = (event, context, callback) => {{ {body} }};")
    assert [machine.result(function, 7), machine.result(function, 7)] == [answer, answer]


@pytest.mark.usefixtures("with_callbacks")
def test_a_callback_waits_until_nothing_is_left_to_do(machine: Machine, make: Make) -> None:
    function = make("exports.handler = (e, c, done) => { setTimeout(() => console.log('later'), 50); done(null, 1); };")
    outcome = machine.invoke(function)
    assert outcome["payload"] == "1"
    assert "later" in outcome["logs"]


@pytest.mark.usefixtures("with_callbacks")
@pytest.mark.parametrize(
    ("body", "document"),
    [
        ("callback('text')", {"errorType": "string", "errorMessage": "text", "trace": []}),
        ("context.fail()", {"errorType": "string", "errorMessage": "handled", "trace": []}),
    ],
)
def test_callbacks_may_fail_with_anything(machine: Machine, make: Make, body: str, document: dict[str, object]) -> None:
    outcome = machine.invoke(make(f"exports.handler = (event, context, callback) => {{ {body} }};"))
    assert (outcome["error"], json.loads(outcome["payload"])) == ("handled", document)


def test_a_promise_that_nothing_can_settle_is_an_error(machine: Machine, make: Make) -> None:
    outcome = machine.invoke(make("exports.handler = async () => new Promise(() => {});"))
    assert json.loads(outcome["payload"])["errorType"] == "Runtime.NodeJsExit"


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("setTimeout(() => { throw new RangeError('nobody') }, 1); await new Promise(() => setTimeout(() => {}, 5000))", "RangeError", "nobody"),
        ("Promise.reject(new Error('nobody')); await new Promise(() => setTimeout(() => {}, 5000))",
         "Runtime.UnhandledPromiseRejection", "Error: nobody"),
    ],
)  # fmt: skip
def test_an_error_that_nobody_catches_ends_the_environment(
    machine: Machine, make: Make, code: str, kind: str, message: str
) -> None:
    function = make(f"exports.handler = async (event) => {{ if (event) return event; {code} }};")
    outcome = machine.invoke(function)
    document = json.loads(outcome["payload"])
    assert outcome["error"] == "handled"
    assert (document["errorType"], document["errorMessage"]) == (kind, message)
    after = machine.invoke(function, 1)
    assert (after["payload"], after["cold"]) == ("1", True)


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (1, "Runtime exited with error: exit status 1"),
        (0, "Runtime exited without providing a reason"),
    ],
)
def test_ending_the_process_is_a_crash(machine: Machine, make: Make, status: int, detail: str) -> None:
    outcome = machine.invoke(make(f"exports.handler = async () => process.exit({status});"), request_id="r-9")
    assert outcome["error"] == "crash"
    assert json.loads(outcome["payload"]) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: r-9 Error: {detail}",
    }


def test_refuses_results_that_json_cannot_hold(machine: Machine, make: Make) -> None:
    outcome = machine.invoke(make("exports.handler = async () => { const a = {}; a.a = a; return a; };"))
    assert outcome["error"] == "handled"
    assert json.loads(outcome["payload"])["errorMessage"] == "Unable to stringify response body"


def test_gives_the_context_of_the_function_and_the_invocation(machine: Machine, make: Make) -> None:
    function = make(
        "exports.handler = async (event, context) => ({...context, left: context.getRemainingTimeInMillis()});",
        environment={
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        },
    )
    client = {"client": {"app_title": "title"}, "custom": {"a": 1}}
    values = machine.result(
        function, request_id="r-1", client_context=json.dumps(client), deadline_ms=4_000_000_000_000
    )
    assert values.pop("left") > 10**12
    values.pop("callbackWaitsForEmptyEventLoop", None)
    assert values == {
        "functionVersion": "7",
        "functionName": "f",
        "memoryLimitInMB": "256",
        "logGroupName": "/aws/lambda/f",
        "logStreamName": "stream",
        "clientContext": client,
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "awsRequestId": "r-1",
    }


def test_sees_its_environment_and_nothing_else(machine: Machine, make: Make) -> None:
    function = make(
        """exports.handler = async () => ({
            env: process.env, cwd: process.cwd(), exec: process.execPath, argv: process.argv.length, time: new Date(0).getHours(),
        });""",
        environment={"A": "ü", "TZ": "Asia/Tokyo"},
    )
    seen = machine.result(function, trace="Root=1-2-3", environment={"AWS_SESSION_TOKEN": "fresh"})
    assert (seen["cwd"], seen["exec"], seen["argv"], seen["time"]) == ("/var/task", "/var/lang/bin/node", 2, 9)
    assert seen["env"]["A"] == "ü"
    assert seen["env"]["AWS_SESSION_TOKEN"] == "fresh"
    assert seen["env"]["_X_AMZN_TRACE_ID"] == "Root=1-2-3"
    assert set(seen["env"]) - {"PORT"} == {
        "A", "TZ", "AWS_SESSION_TOKEN", "_X_AMZN_TRACE_ID", "PATH", "LD_LIBRARY_PATH", "NODE_PATH", "LANG",
        "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_LAMBDA_RUNTIME_API",
    }  # fmt: skip


def test_the_heap_is_as_large_as_the_functions_memory_allows(machine: Machine, make: Make) -> None:
    code = "exports.handler = async () => Math.round(require('v8').getHeapStatistics().heap_size_limit / 1048576);"
    small, large = machine.result(make(code, memory_mb=256)), machine.result(make(code, memory_mb=1024))
    assert 200 <= small <= 320
    assert 900 <= large <= 1200


def test_running_out_of_memory_ends_only_that_environment(machine: Machine, make: Make) -> None:
    function = make(
        "const kept = []; exports.handler = async (event) => { while (event) kept.push(new Array(1e5).fill(event)); };",
        memory_mb=192,
        timeout=30.0,
    )
    outcome = machine.invoke(function, 1.5)
    assert outcome["error"] in {"oom", "crash"}
    assert outcome["detail"] in {"signal: killed", "signal: aborted"}
    assert machine.result(function, 0) is None


def test_writes_the_log_as_lambda_does(machine: Machine, make: Make) -> None:
    function = make("""
        console.log('loading');
        exports.handler = async () => {
            console.log('a %s', 'b', {c: 1});
            console.warn('two\\nlines'); console.error(new Error('e').message); console.debug('d'); console.trace('t');
            process.stdout.write('raw\\n');
        };
    """)
    outcome = machine.invoke(function, request_id="r-5")
    assert outcome["init_logs"].split("\t", 1)[1] == "undefined\tINFO\tloading\n"
    lines = machine.ask("lines", key=function["key"])
    assert [line.split("\t", 1)[-1] for line in lines] == [
        "undefined\tINFO\tloading",
        "r-5\tINFO\ta b { c: 1 }",
        "r-5\tWARN\ttwo\nlines",
        "r-5\tERROR\te",
        "r-5\tDEBUG\td",
        "r-5\tTRACE\tt",
        "raw",
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t", line) for line in lines[:-1])


def test_writes_the_log_as_json_from_a_level_on(machine: Machine, make: Make) -> None:
    function = make(
        "exports.handler = async () => { console.log('hidden'); console.warn('shown', 1); console.error(new RangeError('e')); };",
        environment={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "WARN"},
    )
    machine.invoke(function, request_id="r-6")
    first, second = (json.loads(line) for line in machine.ask("lines", key=function["key"]))
    assert (first["level"], first["requestId"], first["message"]) == ("WARN", "r-6", "shown 1")
    assert (second["level"], second["message"]["errorType"], second["message"]["errorMessage"]) == (
        "ERROR",
        "RangeError",
        "e",
    )


def test_a_flood_of_log_lines_arrives_whole(machine: Machine, make: Make) -> None:
    function = make(
        "exports.handler = async () => { for (let i = 0; i < 5000; i++) console.log(i + '-' + 'x'.repeat(200)); };"
    )
    assert machine.invoke(function)["error"] is None
    lines = machine.ask("lines", key=function["key"])
    assert [int(line.rsplit("\t", 1)[1].split("-")[0]) for line in lines] == list(range(5000))


def test_events_and_answers_of_megabytes_pass(machine: Machine, make: Make) -> None:
    function = make("exports.handler = async (event) => event;")
    event = "é" * 1_400_000
    assert machine.result(function, event) == event
    outcome = machine.invoke(make("exports.handler = async () => 'x'.repeat(7 * 1024 * 1024);"))
    assert outcome["error"] == "too_large"


def test_streaming_handlers_answer_with_what_they_wrote(machine: Machine, make: Make) -> None:
    function = make("""
        exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
            stream.write('a'); stream.write(context.awsRequestId); stream.end();
        });
    """)
    assert machine.invoke(function, request_id="r-7")["payload"] == "ar-7"


def test_options_of_node_are_there_from_the_start(machine: Machine, make: Make) -> None:
    function = make(
        "exports.handler = async () => [process.env.NODE_OPTIONS, process.title];",
        environment={"NODE_OPTIONS": "--title=mine"},
    )
    assert machine.result(function) == ["--title=mine", "mine"]


def test_usual_variables_need_no_process_of_their_own(version: int) -> None:
    runtime = NodeRuntime(version, Path("/usr/bin/node"), None)
    usual = {**runtime.variables(), "NODE_ENV": "production", "A": "1"}
    assert runtime.for_function(256, usual).start
    for name in ("NODE_OPTIONS", "LD_PRELOAD", "UV_THREADPOOL_SIZE", "AWS_LAMBDA_EXEC_WRAPPER", "LD_LIBRARY_PATH"):
        assert not runtime.for_function(256, {**usual, name: "x"}).start


def test_a_wrapper_script_starts_the_runtime(machine: Machine, make: Make) -> None:
    function = make(
        {
            "index.js": "exports.handler = async () => process.env.ADDED;",
            "wrap": '#!/bin/sh\nexport ADDED="$1"\nexec "$@"\n',
        },
        environment={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"},
    )
    (Path(function["code"]) / "wrap").chmod(0o755)
    assert machine.result(function) == "/var/lang/bin/node"


def test_runs_children_and_threads_but_no_privileges(machine: Machine, make: Make) -> None:
    function = make("""
        const {execFileSync} = require('child_process');
        const {Worker} = require('worker_threads');
        exports.handler = async () => ({
            child: execFileSync('/bin/echo', ['hi']).toString(),
            thread: await new Promise((done) => new Worker("require('worker_threads').parentPort.postMessage(6)", {eval: true}).once('message', done)),
            file: await require('fs/promises').readFile('/var/task/index.js', 'utf8').then((text) => text.length > 0),
            write: await require('fs/promises').writeFile('/var/task/x', '').catch((error) => error.code),
            tmp: await require('fs/promises').writeFile('/tmp/x', 'x').then(() => 'ok'),
            digest: await crypto.subtle.digest('SHA-256', Buffer.from('x')).then((digest) => digest.byteLength),
        });
    """)
    assert machine.result(function) == {
        "child": "hi\n",
        "thread": 6,
        "file": True,
        "write": "EROFS",
        "tmp": "ok",
        "digest": 32,
    }


def test_reaches_the_endpoint(machine: Machine, make: Make) -> None:
    function = make("""
        const net = require('net');
        exports.handler = () => new Promise((done) => {
            let text = '';
            const socket = net.connect(4566, '127.0.0.1', () => socket.write('hello\\n'));
            socket.on('data', (data) => { text += data; }).on('end', () => done(text));
        });
    """)
    outcome = machine.invoke(function)
    assert json.loads(outcome["payload"]) == outcome["environment_id"]


@pytest.mark.parametrize(
    "files",
    [
        {"index.js": "exports.handler = async () => require('@aws-sdk/client-x').name;"},
        {"index.mjs": "import {name} from '@aws-sdk/client-x'; export const handler = async () => name;"},
    ],
)
def test_carries_the_sdk_of_this_machine(files: dict[str, str], version: int, tmp_path: Path) -> None:
    level = "full" if ROOT else "rootless"
    sdk = tmp_path / "node_modules"
    write(sdk, {"@aws-sdk/client-x/index.js": "exports.name = 'the sdk';"})
    with make_machine(level, node_sdk_path=[str(sdk)]) as machine:
        function = machine.function("", runtime=f"nodejs{version}.x", handler="index.handler")
        write(Path(function["code"]), files)
        assert machine.result(function) == "the sdk"


def test_a_rejection_while_loading_is_told(machine: Machine, make: Make) -> None:
    outcome = machine.invoke(make("Promise.reject(new Error('early')); exports.handler = async () => 1;"))
    document = json.loads(outcome["payload"])
    assert outcome["error"] == "init"
    assert (document["errorType"], document["errorMessage"]) == ("Runtime.UnhandledPromiseRejection", "Error: early")


def test_knows_who_it_is(machine: Machine, make: Make) -> None:
    home = machine.result(make("exports.handler = async () => require('os').homedir();"))
    assert home == ("/home/sbx_user1051" if machine.level == "full" else "/")


def test_handlers_with_callbacks_ended_with_version_24(machine: Machine, make: Make, version: int) -> None:
    if version < 24:
        pytest.skip("this Node.js still has them")
    outcome = machine.invoke(make("exports.handler = (event, context, callback) => callback(null, 1);"))
    assert outcome["error"] == "init"
    assert json.loads(outcome["payload"])["errorType"] == "Runtime.CallbackHandlerDeprecated"
    assert machine.result(make("exports.handler = (event) => event;"), 5) == 5
