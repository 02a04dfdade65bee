"""Contexts for the tests of the expression room."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from penstock.expr import HostFunctions, Limits, RenderContext

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def make_context(
    variables: Mapping[str, object] | None = None,
    *,
    host: HostFunctions | None = None,
    limits: Limits | None = None,
    timezone: str = "UTC",
    recursive: bool = False,
) -> RenderContext:
    """A context whose time stands still and whose chance repeats."""
    return RenderContext(
        variables or {},
        host=host,
        now=lambda: NOW,
        timezone=timezone,
        random=random.Random(7).random,
        new_id=lambda: "5cBZ1JF8kim8fbFg13bumX",
        limits=limits or Limits(),
        monotonic=time.monotonic,
        recursive=recursive,
    )
