"""The formal interface lists its elements by itself, and names requirements that exist."""

from __future__ import annotations

import inspect
import re

import pytest
from elastic_timer_spec import interface, load
from elastic_timer_spec.interface import interface_elements


def test_elements_are_sorted_and_unique() -> None:
    elements = interface_elements()
    assert list(elements) == sorted(set(elements))


@pytest.mark.parametrize(
    "element",
    [
        "RequestQueue",
        "RequestQueue.get",
        "TimerRequest.expiration_time",
        "TimerServer.__init__",
        "TimerServer._reap_worker",
        "TimerServer._run_watchdog",
        "configure",
        "expires",
    ],
)
def test_classes_functions_methods_properties_and_hooks_are_elements(element: str) -> None:
    assert element in interface_elements()


@pytest.mark.parametrize(
    "element",
    ["LocalTimerServer.start", "RequestQueue.__init__", "RequestQueue.__subclasshook__", "Request"],
)
def test_what_is_inherited_or_made_by_typing_is_no_element(element: str) -> None:
    assert element not in interface_elements()


def test_the_committed_specification_has_the_elements_of_the_interface() -> None:
    assert load().interface == interface_elements()


def test_docstrings_name_requirements_that_exist() -> None:
    named = set(re.findall(r"\b[A-Z]+(?:-[A-Z]+)+\b", inspect.getsource(interface)))
    assert named
    assert named <= set(load().requirements)


def test_every_requirement_is_named_by_the_docstring_of_an_element() -> None:
    """Whoever reads the interface alone is to learn of everything that is owed."""
    named = set(re.findall(r"\b[A-Z]+(?:-[A-Z]+)+\b", inspect.getsource(interface)))
    assert set(load().requirements) <= named


@pytest.mark.parametrize("function", [interface.configure, interface.expires])
def test_the_functions_cannot_be_taken_for_an_implementation(function: object) -> None:
    assert callable(function)
    with pytest.raises(NotImplementedError, match="implementation"):
        function(None)
