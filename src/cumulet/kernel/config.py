"""A node's settings. Only this module reads the environment; everything else is handed what it needs."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

IamMode = Literal["off", "audit", "enforce"]
Isolation = Literal["auto", "full", "rootless", "process"]

PREFIX = "CUMULET_"


def default_data() -> Path:
    """Where this user's programs keep their data."""
    from platformdirs import user_data_path  # noqa: PLC0415  20 ms that a node with a --data does not need

    return user_data_path("cumulet")


class ConfigError(Exception):
    """A setting that cannot be: one line that says which, why, and what to do."""


class NotToBeHad(ConfigError):
    """The settings are right, but what they name cannot be had here now: a folder, a port."""


class Config(Struct, frozen=True, kw_only=True):
    """What `cumulet up` can be told, by option or by the environment variable of the same name (`CUMULET_PORT`).

    `port` 0 takes a free one. `iam` says what happens to a call that no policy allows: `off` lets it pass, `audit` lets
    it pass and records it, `enforce` refuses it. `isolation` is the least that is accepted for functions; `auto` takes
    the best that the machine can give. `internal_ports` are ports of this machine that functions may reach, `search_path`
    is where interpreters are looked for, `limits` are quotas that are not AWS's (`lambda.timeout=1200`), which win over
    those in the TOML file `limits_file`, `java_home` a Java that comes before those there;
    with `install_runtimes` a runtime that is missing is installed for the function that wants it. `mocks` is a mock
    configuration of Step Functions, for executions that are started as `MACHINE#CASE`.
    """

    data: Path = msgspec.field(default_factory=default_data)
    host: str = "127.0.0.1"
    port: int = 4566
    unix_socket: str = ""
    tls: bool = False
    iam: IamMode = "audit"
    isolation: Isolation = "auto"
    region: str = "us-east-1"
    account: str = "000000000000"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    idle_timeout: float = 300.0
    internal_ports: tuple[int, ...] = ()
    search_path: str = msgspec.field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    limits: tuple[str, ...] = ()
    limits_file: Path | None = None
    install_runtimes: bool = False
    mocks: Path | None = None
    java_home: str = msgspec.field(default_factory=lambda: os.environ.get("JAVA_HOME", ""))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the node."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def checked(self) -> "Config":
        """This configuration, if it may be run; raises ConfigError."""
        if not self.loopback and self.iam != "enforce":
            raise ConfigError(
                f"Binding to {self.host} lets others in, so permissions must be enforced: add --iam enforce, or bind to 127.0.0.1."
            )
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"The port {self.port} is not one: choose 1 to 65535, or 0 for a free one.")
        return self


def load(options: Mapping[str, object], environment: Mapping[str, str] | None = None) -> Config:
    """Settings from options (those that are not None) over environment variables over defaults. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(Config):
        name = PREFIX + field.name.upper()
        if environment.get(name):
            values[field.name] = environment[name]
        if options.get(field.name) is not None:
            values[field.name] = options[field.name]
    if isinstance(ports := values.get("internal_ports"), str):
        values["internal_ports"] = [port for port in ports.split(",") if port]
    if isinstance(limits := values.get("limits"), str):
        values["limits"] = [limits]
    if "data" in values:
        values["data"] = str(values["data"])
    try:
        config = msgspec.convert(values, Config, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ConfigError(f"A setting is wrong: {error}.") from error
    return msgspec.structs.replace(config, data=config.data.expanduser().absolute()).checked()


def _decode(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)
