"""What the tests of the specification share."""

from __future__ import annotations

from pathlib import Path

import pytest
from elastic_timer_spec import KeywordIndex, load
from elastic_timer_spec.keyword_rendering import render


@pytest.fixture(params=load().indexes, ids=lambda index: Path(index.path).stem)
def index(request: pytest.FixtureRequest) -> KeywordIndex:
    """Each of the keyword indexes that the specification is made from."""
    found: KeywordIndex = request.param
    return found


@pytest.fixture
def page(index: KeywordIndex) -> str:
    """The wrapped page of that index, in this project's words."""
    return render(index)
