"""Flow outputs, typed (engine.md 6.5): rendered values in, values of the declared types out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.catalog.coercion import Refused, coerce, text_of
from penstock.catalog.inputs import NO_ENCRYPTION
from penstock.expr import shown

if TYPE_CHECKING:
    from penstock.catalog.vault import Vault
    from penstock.model.flow import FlowOutput


def type_outputs(
    declared: Sequence[FlowOutput], values: Mapping[str, object], vault: Vault | None = None
) -> dict[str, object]:
    """The rendered `values` as the types their outputs declare; undeclared types keep the value as it is.

    A null value is null when the output is not required. FILE outputs need a URI of internal storage, SECRET outputs
    are encrypted; in outputs of any other type secrets are masked.

    Raises:
        ValueError: a value does not fit; the text is Kestra's `Invalid value for output …` for each, one a line.
    """
    typed: dict[str, object] = {}
    faults: list[str] = []
    for output in declared:
        try:
            typed[output.id] = _typed(output, values.get(output.id), vault)
        except Refused as fault:
            faults.append(f"Invalid value for output `{output.id}`. Cause: {fault}")
    if faults:
        raise ValueError("\n".join(faults))
    return typed


def _typed(output: FlowOutput, value: object, vault: Vault | None) -> object:
    kind = output.type
    if value is None or (value == "" and kind not in (None, "STRING", "SELECT", "ENUM", "EMAIL", "SECRET")):
        if output.required is False:
            return None
        raise Refused("the value is null, and the output is required (set `required: false` to allow it)")
    if kind == "SECRET":
        if vault is None:
            raise Refused(NO_ENCRYPTION)
        return vault.wrap(text_of(value))
    value = shown(value)
    if kind is None:
        return value
    if kind == "FILE":
        return _file(text_of(value))
    return coerce(str(kind), value, item_type=getattr(output, "item_type", None))


def _file(uri: str) -> str:
    if not uri.startswith("kestra://"):
        raise Refused(f"expected the URI of a file in internal storage (kestra:///…), found `{uri}`")
    return uri
