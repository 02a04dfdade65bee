"""A desk for tests of task types."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.testing.task_desk import TaskDesk


@pytest.fixture
def desk() -> Iterator[TaskDesk]:
    with TaskDesk() as made:
        yield made
