"""The specification loads, is sound, and is what its schema says."""

from __future__ import annotations

import dataclasses
import json
import pickle
import subprocess
import sys
from importlib import resources
from typing import Any

import elastic_timer_spec
import jsonschema
import pytest
from elastic_timer_spec import Level, Profile, UnknownRequirementError, load
from elastic_timer_spec.needs_json import digest
from elastic_timer_spec.specification import AREAS, parse

PACKAGE = resources.files("elastic_timer_spec")


def decoded(name: str) -> Any:
    return json.loads(PACKAGE.joinpath(name).read_text("utf-8"))


def test_the_committed_document_is_valid_by_its_schema() -> None:
    schema = decoded("specification.schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(decoded("specification.json"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("level", "OUGHT"),
        ("profile", "best"),
        ("digest", "123"),
        ("statement", ""),
        ("interface", []),
        ("keywords", ["get", "get"]),
        ("page", "../queue"),
        ("capability", "Two Words"),
    ],
)
def test_the_schema_refuses_an_unsound_requirement(key: str, value: object) -> None:
    document = decoded("specification.json")
    document["requirements"][0][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, decoded("specification.schema.json"))


def test_loading_twice_gives_the_same_object() -> None:
    assert load() is load()


def test_every_requirement_is_complete_and_in_its_place() -> None:
    specification = load()
    assert specification.requirements
    for requirement_id, requirement in specification.requirements.items():
        assert requirement.id == requirement_id
        assert requirement.area == requirement_id.split("-")[0]
        assert requirement.page == requirement.area.lower()
        assert requirement.title
        assert requirement.statement
        assert requirement.rationale
        assert requirement.verification
        assert isinstance(requirement.level, Level)
        assert isinstance(requirement.profile, Profile)
        assert requirement.digest == digest(requirement.statement)
        assert set(requirement.interface) <= set(specification.interface)


def test_areas_come_in_reading_order_and_hold_their_requirements_together() -> None:
    specification = load()
    areas = [area.id for area in specification.areas]
    assert areas == [area for area in AREAS if area in areas]
    of_requirements = [requirement.area for requirement in specification.requirements.values()]
    assert list(dict.fromkeys(of_requirements)) == areas
    assert of_requirements == sorted(of_requirements, key=AREAS.index)


def test_the_loaded_specification_cannot_be_changed() -> None:
    specification = load()
    requirement = next(iter(specification.requirements.values()))
    with pytest.raises(dataclasses.FrozenInstanceError):
        requirement.title = "another"  # type: ignore[misc]
    with pytest.raises(TypeError):
        specification.requirements["QUEUE-SIZE"] = requirement  # type: ignore[index]


def test_find_returns_the_requirement_of_an_id() -> None:
    assert load().find("QUEUE-SIZE").id == "QUEUE-SIZE"


@pytest.mark.parametrize("wrong", ["QUEUE-SIZ", "queue-size"])
def test_find_suggests_ids_that_are_spelled_alike(wrong: str) -> None:
    with pytest.raises(UnknownRequirementError, match="Did you mean QUEUE-SIZE") as caught:
        load().find(wrong)
    assert "QUEUE-SIZE" in caught.value.suggestions


def test_find_suggests_nothing_where_nothing_is_alike() -> None:
    with pytest.raises(UnknownRequirementError) as caught:
        load().find("%%%")
    assert str(caught.value) == "there is no requirement '%%%'."


def test_a_requirement_travels_between_processes() -> None:
    requirement = load().find("QUEUE-SIZE")
    assert pickle.loads(pickle.dumps(requirement)) == requirement


def test_parse_gives_an_equal_specification_each_time() -> None:
    assert parse(decoded("specification.json")) == load()


def test_the_public_names_exist() -> None:
    for name in elastic_timer_spec.__all__:
        assert hasattr(elastic_timer_spec, name)


def test_importing_needs_neither_an_implementation_nor_a_parser() -> None:
    """A test that names a requirement imports this package, so it has to stay light."""
    code = "import sys, elastic_timer_spec; elastic_timer_spec.load(); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {"argparse", "elastic_timer", "elastic_timer_conformance", "sphinx", "tomllib"}
    assert not heavy & set(run.stdout.split())
