"""Type names of the family, and where their classes are."""

TYPES: dict[str, str] = {}
