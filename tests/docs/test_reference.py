"""The reference is what the code says today."""

from __future__ import annotations

from scripts.make_docs import REFERENCE, stale

from penstock.definition.type_index import CORE_TYPES
from penstock.expr.vocabulary import vocabulary
from penstock.plugin.registry import installed
from penstock.settings import Settings


def test_reference_is_up_to_date() -> None:
    assert stale() == [], "run `uv run python scripts/make_docs.py`"


def test_every_setting_has_a_row() -> None:
    page = (REFERENCE / "settings.md").read_text()
    assert [name for name in Settings.__struct_fields__ if f"| `{name}` |" not in page] == []


def test_every_word_of_the_language_is_described() -> None:
    page = (REFERENCE / "expressions.md").read_text()
    assert [word.name for word in vocabulary() if f"`{word.name}" not in page] == []
    assert [f"{word.kind} {word.name}" for word in vocabulary() if not word.description] == []


def test_every_type_has_a_section() -> None:
    pages = "\n".join(path.read_text() for path in (REFERENCE / "types").glob("*.md"))
    assert [name for name in (*CORE_TYPES, *installed().names()) if f"\n`{name}`\n" not in pages] == []
