"""A mutant is killed by what fails twice, and by nothing less."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mutation.judge import NO_TEST, judge
from mutation.warm import Answer, Request

PASSED = Answer(0, "")


class Suite:
    """Answers as it is told to, and remembers what it was asked."""

    def __init__(self, answer: Callable[[str, Request], Answer]) -> None:
        self._answer = answer
        self.asked: list[tuple[str, str, Sequence[str]]] = []

    def __call__(self, backend: str, request: Request) -> Answer:
        self.asked.append((backend, request.layer, list(request.tests)))
        return self._answer(backend, request)


def test_it_survives_what_passes_with_every_backend() -> None:
    suite = Suite(lambda backend, request: PASSED)
    assert judge("process", ["local", "local-mp-queue"], [], suite) == ""
    assert suite.asked == [("local", "process", []), ("local-mp-queue", "process", [])]


def test_what_fails_and_fails_again_alone_kills_it() -> None:
    suite = Suite(lambda backend, request: Answer(1, "a"))
    assert judge("interface", ["local"], [], suite) == "a"
    assert suite.asked == [("local", "interface", []), ("local", "", ["a"])]


def test_what_fails_once_does_not_kill_it() -> None:
    answers = iter([Answer(1, "a"), PASSED, PASSED])
    suite = Suite(lambda backend, request: next(answers))
    assert judge("interface", ["local"], [], suite) == ""
    assert [tests for _, _, tests in suite.asked] == [[], ["a"], []]


def test_what_never_passes_as_a_whole_kills_it() -> None:
    suite = Suite(lambda backend, request: PASSED if request.tests else Answer(1, "a"))
    assert judge("interface", ["local"], [], suite) == "a"


def test_a_suite_that_cannot_begin_or_does_not_end_kills_it() -> None:
    suite = Suite(lambda backend, request: Answer(None, ""))
    assert judge("interface", ["local"], [], suite) == NO_TEST
    assert len(suite.asked) == 1


def test_what_killed_others_like_it_is_tried_alone() -> None:
    suite = Suite(lambda backend, request: PASSED)
    assert judge("likely", ["local"], ["a", "b"], suite) == ""
    assert judge("likely", ["local"], [], suite) == ""
    assert suite.asked == [("local", "", ["a", "b"])]
