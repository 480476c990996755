"""What an event source mapping is."""

from msgspec import Struct
from msgspec.structs import replace

from cumulet.api.lambda_ import EventSourceMappingConfiguration
from cumulet.services.lambda_.names import FunctionKey, Reference

USER = "USER_INITIATED"
STREAM_USER = "User action"
NOTHING_YET = "No records processed"

STEADY = frozenset({"Enabled", "Disabled"})
"""States that no work leads on from."""
REPORT_FAILURES = "ReportBatchItemFailures"


class Mapping(Struct, frozen=True, kw_only=True):
    """A function's tie to a source.

    `configuration` is what AWS's answers hold, its State included; `qualifier` is empty when the request gave none.
    `wanted` is whether it is to be enabled once its State is steady; `since` the moment at which it was made, in seconds
    since 1970.
    """

    account: str
    region: str
    name: str
    qualifier: str = ""
    configuration: EventSourceMappingConfiguration
    wanted: bool = True
    since: float = 0.0

    @property
    def uuid(self) -> str:
        return self.configuration.uuid or ""

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:event-source-mapping:{self.uuid}"

    @property
    def source(self) -> str:
        """The ARN of what it reads from."""
        return self.configuration.event_source_arn or ""

    @property
    def reference(self) -> Reference:
        """The function it invokes."""
        return Reference(FunctionKey(self.account, self.region, self.name), self.qualifier or None)

    @property
    def state(self) -> str:
        return self.configuration.state or ""

    @property
    def failure_destination(self) -> str:
        """Where records go that are given up; empty when it is nowhere."""
        config = self.configuration.destination_config
        return (config.on_failure.destination if config and config.on_failure else None) or ""

    @property
    def partial(self) -> bool:
        """The function says which records of a batch failed."""
        return REPORT_FAILURES in (self.configuration.function_response_types or ())

    def changed(self, **members: object) -> "Mapping":
        """The same with other members of its configuration."""
        return replace(self, configuration=replace(self.configuration, **members))

    def answer(self, problem: str = "") -> EventSourceMappingConfiguration:
        """The configuration as clients see it; `problem` is what keeps it from being processed at the moment."""
        return replace(self.configuration, last_processing_result=problem) if problem else self.configuration
