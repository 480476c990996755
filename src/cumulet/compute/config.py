"""How a node's compute is set up."""

from pathlib import Path
from typing import Literal

import msgspec

_HTTP = 80
HTTPS = 443
TRUSTED = "/var/runtime/trusted"
"""Where functions find whom to trust."""


class ComputeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is unique per node on a machine: its control groups are called so and swept at start."""

    folder: Path
    name: str
    endpoint_port: int = 4566
    """Where the platform answers in environments, on their loopback; functions are told this one."""
    more_ports: tuple[int, ...] = ()
    """Where it does too."""
    level: Literal["auto", "full", "rootless", "process"] = "auto"
    idle_timeout: float = 300.0
    """Seconds an environment is kept without an invocation."""
    search_path: str = "/usr/local/bin:/usr/bin:/bin"
    """Where interpreters are looked for, beside the folders of pyenv, uv and mise under `home`."""
    home: Path = msgspec.field(default_factory=Path.home)
    sdk_path: tuple[str, ...] = ()
    """Folders of which the first that holds boto3 is given to Python functions."""
    tool_path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    """Where `nft`, `iptables` and `pasta` are looked for, which outbound network needs."""
    trusted: Path | None = None
    """A folder of certificates that functions trust, where TLS is spoken to whom AWS's names lead to: `ca-cert.pem` of the
    platform, and `ca-bundle.pem` of everybody."""
    internal_ports: tuple[int, ...] = ()
    """TCP ports of this machine's loopback that functions reach, at host.cumulet.internal."""
    node_sdk_path: tuple[Path, ...] = ()
    """Folders of which the first that holds @aws-sdk is given to Node.js functions; `node_sdk_places` when empty."""
    install_runtimes: bool = False
    """Whether `Compute.provide` installs what is missing."""
    java_home: str = ""
    """A Java to look at before those of the search path, as JAVA_HOME names one."""
    preferred_runtime: str = ""
    """Made ready at start, as lean as it can be; the Python that runs this node when empty."""

    @property
    def ports(self) -> list[int]:
        """Of the platform in environments, on their loopback."""
        return list(dict.fromkeys((self.endpoint_port, *self.more_ports)))

    @property
    def platform_ports(self) -> list[int]:
        """Of the platform by AWS's names."""
        return [_HTTP, *([] if self.trusted is None else [HTTPS]), *self.ports]

    @property
    def trusting(self) -> dict[str, str]:
        """The variables that have functions trust the platform."""
        if self.trusted is None:
            return {}
        bundle, own = f"{TRUSTED}/ca-bundle.pem", f"{TRUSTED}/ca-cert.pem"
        return {
            "SSL_CERT_FILE": bundle,
            "AWS_CA_BUNDLE": bundle,
            "REQUESTS_CA_BUNDLE": bundle,
            "NODE_EXTRA_CA_CERTS": own,
        }
