"""The Ruby runtime behaves as Lambda's: handlers, errors, context, logs, layers. With the Ruby of the PATH or of a version manager."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import Machine, make_machine
from tests.compute.test_node_runtime import write

from cumulet.compute.runtimes import ruby

Make = Callable[..., dict[str, Any]]
_PATH = os.environ.get("PATH", "")


@pytest.fixture(scope="module")
def newest() -> ruby.RubyRuntime:
    """The newest Ruby here."""
    found = ruby.find(_PATH.split(":"), Path.home())
    if not found:
        pytest.skip(f"no Ruby of {', '.join(ruby.VERSIONS)} on this machine")
    return found[max(found)]


@pytest.fixture(scope="module")
def name(newest: ruby.RubyRuntime) -> str:
    return newest.name


@pytest.fixture(scope="module", params=["full", "rootless", "process"])
def machine(request: pytest.FixtureRequest, newest: ruby.RubyRuntime) -> Iterator[Machine]:
    with make_machine(request.param, search_path=f"{Path(newest.path).parent}:/usr/bin:/bin") as made:
        yield made


@pytest.fixture
def make(machine: Machine, name: str) -> Make:
    """`make(source)` gives a function of the file `app.rb`; files beside it by their names."""

    def function(source: str, /, handler: str = "app.handler", **spec: Any) -> dict[str, Any]:
        files = spec.pop("files", {})
        environment = {"_HANDLER": handler, **spec.pop("environment", {})}
        made = machine.function("", runtime=name, handler=handler, environment=environment, **spec)
        write(Path(made["code"]), {"app.rb": source, **files})
        return made

    return function


def failed(machine: Machine, spec: dict[str, Any], event: Any = None) -> dict[str, Any]:
    outcome = machine.invoke(spec, event)
    assert outcome["error"] is not None
    return dict(json.loads(outcome["payload"]))


def test_answers_with_the_result_as_json(machine: Machine, make: Make) -> None:
    function = make("$count = 0\ndef handler(event:, context:)\n  { event: event, count: $count += 1 }\nend")
    event = {"a": [1, 2.5, "ü", None, 2**70]}
    assert machine.result(function, event) == {"event": event, "count": 1}
    assert machine.result(function, "again") == {"event": "again", "count": 2}
    large = "x" * 3_000_000
    assert machine.result(function, large)["event"] == large


@pytest.mark.parametrize("handler", ["app.Outer::Inner.run", "app.Plain.run", "lib/deep.deep"])
def test_handlers_of_classes_and_files(machine: Machine, make: Make, handler: str) -> None:
    source = """
        module Outer; class Inner; def self.run(event:, context:) = 'inner'; end; end
        class Plain; def self.run(event:, context:) = 'plain'; end
    """
    expected = {"app.Outer::Inner.run": "inner", "app.Plain.run": "plain", "lib/deep.deep": "deep"}[handler]
    deep = "require 'helper'\ndef deep(event:, context:) = HELP"
    function = make(source, handler=handler, files={"lib/deep.rb": deep, "helper.rb": "HELP = 'deep'"})
    assert machine.result(function) == expected


def test_the_context(machine: Machine, make: Make, name: str) -> None:
    source = """
def handler(event:, context:)
  names = %i[aws_request_id invoked_function_arn function_name function_version memory_limit_in_mb log_group_name
             log_stream_name deadline_ms identity client_context tenant_id]
  names.to_h { |name| [name, context.send(name)] }.merge(left: context.get_remaining_time_in_millis, trace: ENV['_X_AMZN_TRACE_ID'])
end
"""
    environment = {
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "3",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "group",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
    }
    outcome = machine.invoke(
        make(source, environment=environment),
        request_id="id-1",
        trace="Root=1-2-3",
        deadline_ms=4_102_444_800_000,
        client_context='{"custom": {"a": 1}}',
    )
    found = json.loads(outcome["payload"])
    assert found.pop("left") > 1_000_000
    assert found == {
        "aws_request_id": "id-1",
        "invoked_function_arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "function_name": "f",
        "function_version": "3",
        "memory_limit_in_mb": "256",
        "log_group_name": "group",
        "log_stream_name": "stream",
        "deadline_ms": 4_102_444_800_000,
        "identity": None,
        "client_context": {"custom": {"a": 1}},
        "tenant_id": None,
        "trace": "Root=1-2-3",
    }


def test_errors_have_their_class_and_trace(machine: Machine, make: Make) -> None:
    function = make("""class Odd < StandardError; end
def below = raise(Odd, 'told to')
def handler(event:, context:)
  event == 'fine' ? $$ : below
end
""")
    before = machine.result(function, "fine")
    outcome = machine.invoke(function)
    error = json.loads(outcome["payload"])
    assert (error["errorType"], error["errorMessage"]) == ("Function<Odd>", "told to")
    assert len(error["stackTrace"]) == 2
    assert re.search(r"/app\.rb:2:in ['`](Object#)?below'$", error["stackTrace"][0])
    assert re.search(r"/app\.rb:4:in ['`](Object#)?handler'$", error["stackTrace"][1])
    assert outcome["logs"].startswith("Error raised from handler method\n{\n")
    assert machine.result(function, "fine") == before


def test_errors_of_names_and_worse_end_the_process(machine: Machine, make: Make) -> None:
    function = make("""def handler(event:, context:)
  case event
  when 'name' then nil.nothing
  when 'exit' then exit
  when 'pid' then $$.to_s + File.mtime('/proc/self').to_f.to_s
  end
end
""")
    assert failed(machine, function, "name")["errorType"] == "Function<NoMethodError>"
    assert failed(machine, function, "exit")["errorType"] == "Function<SystemExit>"
    assert machine.result(function, "pid")


def test_what_is_not_json(machine: Machine, make: Make) -> None:
    function = make("def handler(event:, context:) = Float::NAN")
    assert failed(machine, function)["errorType"] == "Function<JSON::GeneratorError>"
    function = make("require 'stringio'\ndef handler(event:, context:) = StringIO.new('\"as it is\"')")
    assert machine.result(function) == "as it is"
    assert failed(machine, make("def handler(event:) = 1"))["errorType"] == "Function<ArgumentError>"


def test_what_fails_while_it_is_loaded_has_the_whole_way(machine: Machine, make: Make) -> None:
    function = make("require_relative 'one'", files={"one.rb": "\nrequire 'two'", "two.rb": "\n\nraise 'deep'"})
    trace = failed(machine, function)["stackTrace"]
    places = [found[1] for line in trace if (found := re.search(r"/((?:one|two|app)\.rb:\d+)", line))]
    assert list(dict.fromkeys(places)) == ["two.rb:3", "one.rb:2", "app.rb:1"]


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"),
    [
        ("raise 'early'", "app.handler", "Init<RuntimeError>", "early"),
        ("", "none.handler", "Init<LoadError>", "cannot load such file -- none"),
        ("def handler(", "app.handler", "Init<SyntaxError>", "app.rb:1"),
        ("", "app", "Init<ArgumentError>", "Invalid handler app, must be of form FILENAME.METHOD"),
    ],
)
def test_what_cannot_be_loaded(
    machine: Machine, make: Make, source: str, handler: str, kind: str, message: str
) -> None:
    error = failed(machine, make(source, handler=handler))
    assert error["errorType"] == kind
    assert message in error["errorMessage"]


def test_a_missing_method(machine: Machine, make: Make) -> None:
    assert failed(machine, make("", handler="app.gone"))["errorType"] == "Function<NoMethodError>"


def test_logs(machine: Machine, make: Make) -> None:
    source = """require 'logger'
def handler(event:, context:)
  puts 'plain'
  warn 'to stderr'
  Logger.new($stdout).info('ä tagged')
  Logger.new($stdout, formatter: ->(*, message) { "own #{message}\\n" }).info('formatted')
end
"""
    lines = machine.invoke(make(source), request_id="id-9")["logs"].splitlines()
    assert lines[0] == "plain"
    assert lines[1] == "to stderr"
    tagged = r"I, \[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6} #\d+\]  INFO id-9 -- : ä tagged"
    assert re.fullmatch(tagged, lines[2]), lines
    assert lines[3] == "own formatted"


def test_layers_are_found(machine: Machine, make: Make, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    layer = machine.folder / "ruby-layer"
    abi = name.removeprefix("ruby") + ".0"
    specification = (
        "Gem::Specification.new { |s| s.name = 'gemmed'; s.version = '1.0.0'; s.summary = 's'; s.authors = ['a'] }"
    )
    files = {
        "ruby/lib/shared.rb": "SHARED = 'lib'",
        f"ruby/gems/{abi}/gems/gemmed-1.0.0/lib/gemmed.rb": "GEMMED = 'gem'",
        f"ruby/gems/{abi}/specifications/gemmed-1.0.0.gemspec": specification,
    }
    if not layer.exists():
        write(layer, files)
    bundled = specification.replace("gemmed", "bundled")
    function = make(
        "require 'shared'\nrequire 'gemmed'\nrequire 'bundled'\ndef handler(event:, context:) = [SHARED, GEMMED, BUNDLED]",
        layers=[str(layer)],
        files={
            f"vendor/bundle/ruby/{abi}/gems/bundled-1.0.0/lib/bundled.rb": "BUNDLED = 'own'",
            f"vendor/bundle/ruby/{abi}/specifications/bundled-1.0.0.gemspec": bundled,
        },
    )
    assert machine.result(function) == ["lib", "gem", "own"]


def test_the_machine_is_utf8_and_has_its_standard_library(machine: Machine, make: Make) -> None:
    source = """require 'net/http'; require 'set'; require 'digest'; require 'time'
def handler(event:, context:)
  [Encoding.default_external.to_s, RUBY_VERSION, Digest::SHA256.hexdigest('a')[0, 4], `echo ${HOME:-none}`.encoding.to_s]
end
"""
    found = machine.result(make(source))
    assert [found[0], *found[2:]] == ["UTF-8", "ca97", "UTF-8"]


def test_a_wrapper_script(machine: Machine, make: Make) -> None:
    if machine.level == "process":
        pytest.skip("wrapper scripts are for sandboxes")
    script = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'
    function = make(
        "def handler(event:, context:) = ENV['WRAPPED']",
        files={"wrap": script},
        environment={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"},
    )
    (Path(function["code"]) / "wrap").chmod(0o755)
    assert machine.result(function) == "yes"


def test_timeouts(machine: Machine, make: Make) -> None:
    outcome = machine.invoke(make("def handler(event:, context:) = sleep(60)", timeout=1.0))
    assert outcome["error"] == "timeout"


def test_versions_are_told_apart(tmp_path: Path) -> None:
    def install(prefix: Path, binary: str, *versions: str) -> str:
        for version in versions:
            library = prefix / "lib" / "ruby" / f"{version}.0"
            library.mkdir(parents=True)
            (library / "json.rb").touch()
        (prefix / "bin").mkdir(exist_ok=True)
        (prefix / "bin" / binary).touch()
        return str(prefix / "bin")

    one = install(tmp_path / "one", "ruby", "3.3")
    two = install(tmp_path / "two", "ruby3.4", "3.2", "3.4")
    shim = tmp_path / "shims" / "ruby"
    shim.parent.mkdir()
    shim.touch()
    home = tmp_path / "home"
    install(home / ".rbenv" / "versions" / "4.0.1", "ruby", "4.0")
    found = ruby.find([str(shim.parent), one, two], home)
    assert {name: Path(runtime.path).parent.parent.name for name, runtime in found.items()} == {
        "ruby3.3": "one",
        "ruby3.4": "two",
        "ruby4.0": "4.0.1",
    }


_ATTACKS = {
    "mount": "syscall(165, 'none', '/tmp', 'tmpfs', 0, 0)",
    "chroot": "Dir.chroot('/tmp')",
    "ptrace": "syscall(101, 16, 1, 0, 0)",
    "unshare user": "syscall(272, 0x10000000)",
    "setns": "syscall(308, File.open('/proc/self/ns/net').fileno, 0)",
    "bpf": "syscall(321, 0, '', 0)",
    "io_uring": "syscall(425, 1, '0' * 120)",
    "open_by_handle_at": "syscall(304, -100, '0' * 128, 0)",
    "fsopen": "syscall(430, 'tmpfs', 0)",
    "setuid": "Process::Sys.setuid(0) || Process::Sys.setuid(1)",
    "raw socket": "[require('socket'), Socket.new(:INET, :RAW, 1)]",
    "write to the code": "File.write('/var/task/app.rb', '')",
    "write to the runtime": "File.write('/var/runtime/runtime.rb', '')",
    "write to /usr": "File.write('/usr/x', '')",
    "shadow": "File.read('/etc/shadow')",
    "memory of init": "File.read('/proc/1/mem', 1)",
    "disk": "File.read('/dev/vda', 1)",
    "sysrq": "File.write('/proc/sysrq-trigger', 'b')",
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls are those of x86_64")
def test_it_is_refused_what_other_functions_are(machine: Machine, make: Make) -> None:
    if machine.level == "process":
        pytest.skip("process: functions are plain processes")
    function = make("""
        def handler(event:, context:)
          event.transform_values { |code| "GOT #{eval(code).inspect}" rescue "denied" }
        end
    """)
    outcomes = machine.result(function, _ATTACKS)
    assert {name: outcome for name, outcome in outcomes.items() if outcome != "denied"} == {}
    status = make("def handler(event:, context:) = File.read('/proc/self/status')")
    text = machine.result(status)
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in text
