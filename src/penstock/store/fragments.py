"""Where a text occurs in a source: the lines that hold it, marked."""

from __future__ import annotations

import re

MOST = 20
"""Fragments that are shown of one source at most."""


def fragments(source: str, text: str) -> list[str]:
    """The lines of `source` that hold `text`, whatever the case, with `[mark]`…`[/mark]` around each occurrence."""
    if not text:
        return []
    pattern = re.compile(re.escape(text), re.IGNORECASE)
    if "\n" in text:
        return [f"[mark]{found[0]}[/mark]" for found in pattern.finditer(source)][:MOST]
    lines = [line for line in source.splitlines() if pattern.search(line)]
    return [pattern.sub(lambda found: f"[mark]{found[0]}[/mark]", line) for line in lines[:MOST]]
