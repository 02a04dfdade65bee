"""The types of this family."""

_PREFIX = "io.kestra.plugin.jdbc."

TYPES = {
    _PREFIX + "sqlite.Query": ".sqlite:Query",
    _PREFIX + "sqlite.Queries": ".sqlite:Queries",
    _PREFIX + "sqlite.Trigger": ".sqlite:Trigger",
    _PREFIX + "duckdb.Query": ".duckdb:Query",
    _PREFIX + "duckdb.Queries": ".duckdb:Queries",
    _PREFIX + "duckdb.Trigger": ".duckdb:Trigger",
}
ALIASES: dict[str, str] = {}
EXTRAS = {
    _PREFIX + "duckdb.Query": "duckdb",
    _PREFIX + "duckdb.Queries": "duckdb",
    _PREFIX + "duckdb.Trigger": "duckdb",
}
