"""Quotas of Step Functions, as one profile of the configuration.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """AWS's defaults; sizes in bytes, times in seconds."""

    events: int = 25_000
    """In the history of one execution."""
    payload: int = 262_144
    """Input or output of an execution, a state or a task."""
    open_executions: int = 1_000_000
    """Standard ones, an account and region."""
    throttling: int = 0
    """1: executions begin and go on no faster than on AWS. A node on a laptop refuses nobody, until asked to."""
    start_bucket: float = 1_300.0
    """StartExecution of Standard machines at once, and how many a second after that; in the largest regions, as all of these."""
    start_rate: float = 300.0
    express_start_bucket: float = 6_000.0
    express_start_rate: float = 6_000.0
    transition_bucket: float = 5_000.0
    """State transitions of Standard executions at once, and how many a second after that: what is over waits."""
    transition_rate: float = 5_000.0
    standard_seconds: float = 31_536_000.0
    express_seconds: float = 300.0
    history_days: float = 90.0
    """How long an execution that ended is kept, and its name taken."""
    redrive_days: float = 14.0
    redrives: int = 1000
    inline_concurrency: int = 40
    """Iterations of an inline Map at once."""
    turn: int = 100
    """Transitions that one execution makes before others have theirs; a bound of ours."""
    turn_seconds: float = 0.005
    """How long it may take for them."""
    idle_seconds: float = 10.0
    """Real seconds after which an execution that only waits leaves memory; a bound of ours."""
    machines: int = 10_000
    """State machines, an account and region."""
    versions: int = 1_000
    """Of a state machine."""
    aliases: int = 100
    """Of a state machine."""
