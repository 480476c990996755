"""The word count: what a distributed Map over a bucket finds is what counting by hand gives."""

import json
import random
import re
from collections import Counter
from typing import Any

from tests.journeys.examples import ACCOUNT, deploy

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "Größe", "naïve", "42", "words"]


def texts(count: int) -> dict[str, str]:
    """By key; the same at every run."""
    rng = random.Random(count)
    return {f"texts/{n:03}.txt": " ".join(rng.choices(WORDS, k=rng.randrange(1, 60))) + "." for n in range(count)}


def test_every_word_is_counted_once(strict: Any) -> None:
    machine = deploy(strict, "word-count")
    s3, states = strict.client("s3", ACCOUNT), strict.client("stepfunctions", ACCOUNT)
    library = texts(43)
    for key, text in library.items():
        s3.put_object(Bucket="library", Key=key, Body=text.encode())
    execution = states.start_execution(stateMachineArn=machine, input='{"bucket": "library"}')["executionArn"]
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        pass
    assert found["status"] == "SUCCEEDED", found
    expected = Counter(word for text in library.values() for word in re.findall(r"\w+", text.lower()))
    output = json.loads(found["output"])
    assert (output["texts"], output["words"], output["different"]) == (43, expected.total(), len(expected))
    assert json.load(s3.get_object(Bucket="library", Key="words.json")["Body"]) == expected

    map_run = states.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
    described = states.describe_map_run(mapRunArn=map_run)
    assert (described["status"], described["maxConcurrency"]) == ("SUCCEEDED", 8)
    assert described["itemCounts"]["succeeded"] == 43
    assert described["executionCounts"]["succeeded"] == 9
