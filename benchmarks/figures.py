"""What is measured, and how well it has to come out."""

import statistics
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["less", "more"]


@dataclass(frozen=True)
class Goal:
    """A bound on one figure of a measure: `less` than or `more` than `bound` is good enough."""

    figure: str
    better: Better
    bound: float

    def met(self, value: float) -> bool:
        return value <= self.bound if self.better == "less" else value >= self.bound

    def __str__(self) -> str:
        sign = "<=" if self.better == "less" else ">="
        return f"{self.figure} {sign} {self.bound:g}"


@dataclass
class Figures:
    """The figures of one measure on one server. Units are in the names: ms, us, mb, per_s."""

    measure: str
    values: dict[str, float] = field(default_factory=dict)
    errors: int = 0
    first_error: str = ""


# The goals of the project, by measure. Several goals of one measure must all be met.
GOALS: dict[str, tuple[Goal, ...]] = {
    "start": (Goal("seconds", "less", 0.40),),
    "idle": (Goal("pss_mb", "less", 70), Goal("cpu_percent", "less", 0.5)),
    "sts no-op, 1 client": (Goal("p50_ms", "less", 0.25), Goal("server_cpu_us", "less", 120)),
    "s3 put 1 KB, 1 client": (Goal("server_cpu_us", "less", 250),),
    "s3 get 1 KB, 1 client": (Goal("server_cpu_us", "less", 150), Goal("p50_ms", "less", 0.35)),
    "s3 put 1 MB, 8 clients": (Goal("per_s", "more", 250),),
    "s3 get 1 MB, 8 clients": (Goal("per_s", "more", 1_200),),
    "sqs send, 8 clients": (Goal("per_s", "more", 4_000),),
    "sqs send batch of 10, 8 clients": (Goal("per_s", "more", 15_000),),
    "sqs receive one, 8 clients": (Goal("per_s", "more", 3_000),),
    "sqs receive one, 8 clients, 100,000 deep": (Goal("per_s", "more", 3_000),),
    "dynamodb put, 1 client": (Goal("server_cpu_us", "less", 200),),
    "dynamodb get, 1 client": (Goal("server_cpu_us", "less", 130),),
    "dynamodb query of ten, 1 client": (Goal("server_cpu_us", "less", 250),),
    "lambda warm, 1 client": (Goal("p50_ms", "less", 0.6), Goal("p99_ms", "less", 3)),
    "lambda warm, 8 clients": (Goal("per_s", "more", 3_000),),
    "lambda first invoke, Python": (Goal("first_ms", "less", 15), Goal("create_to_first_ms", "less", 40)),
    "lambda first invoke, Python with boto3": (Goal("first_ms", "less", 20),),
    "lambda first invoke, Node": (Goal("first_ms", "less", 200),),
    "lambda next environment, Node": (Goal("first_ms", "less", 60),),
    "lambda 20 calls of 300 ms at once": (Goal("ms", "less", 700),),
    "lambda drain of a queue": (Goal("per_s", "more", 8_000),),
    "apigw REST API, function, 1 client": (Goal("p50_ms", "less", 1),),
    "apigw REST API, function, 8 clients": (Goal("per_s", "more", 2_000),),
    "apigw HTTP API, function, 1 client": (Goal("p50_ms", "less", 1),),
    "apigw HTTP API, function, 8 clients": (Goal("per_s", "more", 2_000),),
    "sfn ten Pass states": (Goal("p50_ms", "less", 5),),
    "sfn 200 executions of ten Pass states": (Goal("per_s", "more", 8_000),),
    "sfn Express of ten Pass states, 1 client": (Goal("p50_ms", "less", 3),),
    "sfn five functions": (Goal("p50_ms", "less", 10),),
    "lambda environments": (Goal("per_s", "more", 100), Goal("private_mb", "less", 5)),
}


def middle(runs: list[Figures]) -> Figures:
    """The median of each figure over the runs; errors add up."""
    first = runs[0]
    values = {name: statistics.median(run.values[name] for run in runs if name in run.values) for name in first.values}
    said = next((run.first_error for run in runs if run.first_error), "")
    return Figures(first.measure, values, sum(run.errors for run in runs), said)


def table(results: dict[str, list[Figures]]) -> str:
    """A Markdown table: a row a measure, a column a server, the goal beside it."""
    names = list(results)
    lines = ["| measure | goal | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    measures = list(dict.fromkeys(figures.measure for one in results.values() for figures in one))
    for measure in measures:
        goals = GOALS.get(measure, ())
        cells = []
        for name in names:
            found = next((each for each in results[name] if each.measure == measure), None)
            cells.append("" if found is None else _cell(found, goals if name == names[0] else ()))
        lines.append(f"| {measure} | {', '.join(map(str, goals))} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figures: Figures, goals: tuple[Goal, ...]) -> str:
    if not figures.values:
        return f"failed: {figures.first_error.splitlines()[0][:60] if figures.first_error else ''}"
    text = ", ".join(
        f"{name} {value:.3g}" if value < 1000 else f"{name} {value:,.0f}" for name, value in figures.values.items()
    )
    missed = [
        goal.figure for goal in goals if goal.figure in figures.values and not goal.met(figures.values[goal.figure])
    ]
    if goals:
        text += f" **missed: {', '.join(missed)}**" if missed else " (met)"
    return text + (f" ({figures.errors} errors)" if figures.errors else "")
