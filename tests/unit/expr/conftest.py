"""Fixtures of the expression room's tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from expr_contexts import make_context

from penstock.expr import compile_template


@pytest.fixture
def render() -> Callable[..., str]:
    """Renders a template with variables given as keywords."""
    return lambda template, **variables: compile_template(template).render(make_context(variables))


@pytest.fixture
def evaluate() -> Callable[..., object]:
    """Evaluates a template with variables given as keywords."""
    return lambda template, **variables: compile_template(template).evaluate(make_context(variables))
