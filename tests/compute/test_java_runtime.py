"""Java functions run by AWS's own client, in a JVM started ahead or with them."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import SEARCH_PATH, Machine, make_machine
from tests.compute.java_client import compile_java, give_client

from cumulet.compute.runtimes import java

_TRACE = {"trace": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0", "deadline_ms": 4_102_444_800_000}
"""What every invocation has on AWS; the client aborts without."""
Make = Callable[..., dict[str, Any]]
_SOURCE = Path(java.__file__).parent / "inside" / "java" / "cumulet" / "Start.java"
_NAMES = {major: name for name, major in reversed(java.NAMES.items())}
_FUNCTION = """
import com.amazonaws.services.lambda.runtime.Context;
import java.io.BufferedReader;
import java.io.FileReader;
import java.util.LinkedHashMap;
import java.util.Map;
public class App {
    private static int count;
    static { if (System.getenv("BROKEN") != null) throw new IllegalStateException("no luck"); }
    public Map<String, Object> handle(Map<String, Object> event, Context context) throws Exception {
        if (event.containsKey("raise")) throw new IllegalArgumentException("told to");
        if (event.containsKey("exit")) System.exit(3);
        System.out.println("printed");
        context.getLogger().log("logged");
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("event", event);
        answer.put("id", context.getAwsRequestId());
        answer.put("greeting", System.getenv("GREETING"));
        answer.put("hidden", System.getenv().containsKey("AHEAD_ONLY"));
        answer.put("heap", Runtime.getRuntime().maxMemory());
        answer.put("version", System.getProperty("java.specification.version"));
        answer.put("property", System.getProperty("given"));
        answer.put("calls", ++count);
        try (BufferedReader file = new BufferedReader(new FileReader("data.txt"))) { answer.put("file", file.readLine()); }
        Process child = new ProcessBuilder("/bin/sh", "-c", "pwd; echo $GREETING").start();
        try (BufferedReader lines = new BufferedReader(new java.io.InputStreamReader(child.getInputStream()))) {
            answer.put("child", lines.readLine() + " " + lines.readLine());
        }
        return answer;
    }
}
"""


def test_a_java_that_only_itself_says_its_version_is_found(tmp_path: Path) -> None:
    """As Debian's Java 8."""
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_504\"' >&2\n")
    program.chmod(0o755)
    assert java.virtual_machines([], tmp_path, str(tmp_path))[8] == tmp_path


@pytest.fixture(scope="module", params=["full", "rootless"])
def jvm(request: pytest.FixtureRequest) -> Iterator[Machine]:
    with make_machine(request.param) as made:
        give_client(made.folder / "compute")
        yield made


def machines() -> dict[int, Path]:
    """The JVMs by major version that every level's machine finds, whatever user it is of."""
    return java.virtual_machines(SEARCH_PATH.split(":"), Path("/nonexistent"), "")


@pytest.fixture(params=sorted(_NAMES))
def make(request: pytest.FixtureRequest, jvm: Machine) -> Make:
    if request.param not in machines():
        pytest.skip(f"no Java {request.param} on this machine")

    def function(handler: str = "App::handle", **spec: Any) -> dict[str, Any]:
        made = jvm.function("", runtime=_NAMES[request.param], handler=handler, memory_mb=256, **spec)
        folder = Path(made["code"])
        compile_java(_FUNCTION, folder)
        (folder / "data.txt").write_text("a line\n")
        usual = {
            "_HANDLER": handler,
            "TZ": ":UTC",
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        }
        made["environment"] = {**usual, **spec.get("environment", {})}
        return made

    return function


@pytest.mark.parametrize("late", [{}, {"JAVA_TOOL_OPTIONS": "-Dgiven=yes"}], ids=["ahead", "late"])
def test_a_function_has_its_event_context_variables_folder_and_memory(
    jvm: Machine, make: Make, late: dict[str, str]
) -> None:
    function = make(environment={"GREETING": "grüß dich", **late})
    first, second = jvm.result(function, {"a": [1, "ü"]}, **_TRACE), jvm.result(function, {}, **_TRACE)
    assert first["event"] == {"a": [1, "ü"]}
    assert first["id"] == "11111111-2222-3333-4444-555555555555"
    assert first["greeting"] == "grüß dich"
    assert first["child"] == "/var/task grüß dich"
    assert first["file"] == "a line"
    assert 150 << 20 < first["heap"] < 256 << 20
    assert first.get("property") == ("yes" if late else None)
    assert first["version"] in {"1.8", "11", "17", "21", "25"}
    assert (first["calls"], second["calls"]) == (1, 2)
    lines = jvm.ask("lines", key=function["key"])
    assert [line for line in lines if "JAVA_TOOL_OPTIONS" not in line] == ["printed", "logged"] * 2


def test_an_exception_is_the_answer_and_the_environment_lives_on(jvm: Machine, make: Make) -> None:
    function = make()
    jvm.result(function, {}, **_TRACE)
    outcome = jvm.invoke(function, {"raise": True}, **_TRACE)
    document = json.loads(outcome["payload"])
    assert outcome["error"] == "handled"
    assert (document["errorType"], document["errorMessage"]) == ("java.lang.IllegalArgumentException", "told to")
    assert document["stackTrace"][0].startswith("App.handle(App.java:")
    assert jvm.result(function, {}, **_TRACE)["calls"] == 2


def test_a_class_that_does_not_load_is_told(jvm: Machine, make: Make) -> None:
    document = json.loads(jvm.invoke(make(environment={"BROKEN": "1"}), {}, **_TRACE)["payload"])
    assert document["errorType"] == "java.lang.ExceptionInInitializerError"
    missing = json.loads(jvm.invoke(make("Absent::handle"), {}, **_TRACE)["payload"])
    assert missing == {
        "errorMessage": "Class not found: Absent",
        "errorType": "java.lang.ClassNotFoundException",
    }


def test_an_exit_is_told_with_its_status(jvm: Machine, make: Make) -> None:
    outcome = jvm.invoke(make(), {"exit": True}, **_TRACE)
    assert (outcome["error"], outcome["detail"]) == ("crash", "exit status 3")


def test_jars_in_lib_are_on_the_class_path(jvm: Machine, make: Make) -> None:
    function = make()
    folder = Path(function["code"])
    (folder / "lib").mkdir()
    shutil.make_archive(str(folder / "lib" / "app"), "zip", folder, "App.class")
    (folder / "lib" / "app.zip").rename(folder / "lib" / "app.jar")
    (folder / "App.class").unlink()
    assert jvm.result(function, {}, **_TRACE)["calls"] == 1


_HOOKED = """
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import com.amazonaws.services.lambda.crac.Context;
import com.amazonaws.services.lambda.crac.Core;
import com.amazonaws.services.lambda.crac.Resource;
public class Hooked implements Resource {
    private static final List<String> SEEN = new ArrayList<>();
    public Hooked() { SEEN.add("init"); Core.getGlobalContext().register(this); }
    public void beforeCheckpoint(Context<? extends Resource> context) { SEEN.add("before"); }
    public void afterRestore(Context<? extends Resource> context) {
        if (System.getenv("BROKEN") != null) throw new IllegalStateException("no luck");
        SEEN.add("after");
    }
    public List<String> handle(Map<String, Object> event) { SEEN.add("invoked"); return SEEN; }
}
"""


@pytest.fixture
def hooked(jvm: Machine) -> Make:
    def function(**environment: str) -> dict[str, Any]:
        name = next(
            (_NAMES[major] for major in sorted(_NAMES, reverse=True) if major in machines() and major > 8), None
        )
        if name is None:
            pytest.skip("no Java from 11 on this machine")
        made = jvm.function("", runtime=name, handler="Hooked::handle", memory_mb=256, snapshot=True)
        compile_java(_HOOKED, Path(made["code"]))
        usual = {"_HANDLER": "Hooked::handle", "TZ": ":UTC", "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
        usual |= {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}
        return {**made, "environment": {**usual, **environment}}

    return function


def test_the_clients_hooks_run_around_a_snapshot(jvm: Machine, hooked: Make) -> None:
    function = hooked()
    assert jvm.result(function, {}, **_TRACE) == ["init", "before", "after", "invoked"]
    assert jvm.result(function, {}, **_TRACE) == ["init", "before", "after", "invoked", "invoked"]
    kinds = [kind for kind, _ in jvm.ask("platform", key=function["key"])]
    assert kinds == [
        "platform.initReport",
        "platform.restoreStart",
        "platform.restoreRuntimeDone",
        "platform.restoreReport",
    ]


def test_a_hook_of_the_client_that_fails_fails_the_restoration(jvm: Machine, hooked: Make) -> None:
    function = hooked(BROKEN="1")
    assert "restoration" in jvm.invoke(function, {}, **_TRACE)["unavailable"]
    kind, record = jvm.ask("platform", key=function["key"])[-1]
    assert (kind, record["status"]) == ("platform.restoreReport", "error")


def test_the_starter_is_compiled_from_its_source(tmp_path: Path) -> None:
    compiler = shutil.which("javac")
    if compiler is None:
        pytest.skip("no javac on the PATH")
    argv = [compiler, "--release", "8", "-g:none", "-Xlint:-options", "-d", str(tmp_path), str(_SOURCE)]
    subprocess.run(argv, check=True, capture_output=True)
    assert (tmp_path / "cumulet" / "Start.class").read_bytes() == _SOURCE.with_suffix(".class").read_bytes()


_MEETING = """
import com.amazonaws.services.lambda.runtime.Context;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
public class App {
    private static final CyclicBarrier MET = new CyclicBarrier(3);
    public String handle(Map<String, Object> event, Context context) throws Exception {
        MET.await();
        if (event.containsKey("raise")) throw new IllegalArgumentException("told to");
        return context.getAwsRequestId();
    }
}
"""


def test_threads_serve_several_invocations_at_once(jvm: Machine, make: Make) -> None:
    function = make(concurrency=3, environment={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
    (Path(function["code"]) / "App.class").unlink(missing_ok=True)
    compile_java(_MEETING, Path(function["code"]))
    ids = [f"{n}1111111-2222-3333-4444-555555555555" for n in range(3)]
    asked = {"do": "invoke", "spec": function, **_TRACE}
    outcomes = jvm.ask_all([{**asked, "request_id": id_, "payload": "{}"} for id_ in ids])
    assert [json.loads(outcome["payload"]) for outcome in outcomes] == ids
    events = ["{}", '{"raise": 1}', "{}"]
    outcomes = jvm.ask_all(
        [{**asked, "request_id": id_, "payload": event} for id_, event in zip(ids, events, strict=True)]
    )
    assert [outcome["error"] for outcome in outcomes] == [None, "handled", None]
    assert len({outcome["environment_id"] for outcome in outcomes}) == 1
