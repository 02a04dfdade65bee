"""The types of this family."""

_PREFIX = "io.kestra.plugin.jdbc."

TYPES = {
    _PREFIX + "sqlite.Query": ".sqlite:Query",
    _PREFIX + "sqlite.Queries": ".sqlite:Queries",
    _PREFIX + "sqlite.Trigger": ".sqlite:Trigger",
    _PREFIX + "postgresql.Query": ".postgresql:Query",
    _PREFIX + "postgresql.Queries": ".postgresql:Queries",
    _PREFIX + "postgresql.Trigger": ".postgresql:Trigger",
    _PREFIX + "duckdb.Query": ".duckdb:Query",
    _PREFIX + "duckdb.Queries": ".duckdb:Queries",
    _PREFIX + "duckdb.Trigger": ".duckdb:Trigger",
}
ALIASES: dict[str, str] = {}
EXTRAS = {
    _PREFIX + database + "." + kind: database
    for database in ("duckdb", "postgresql")
    for kind in ("Query", "Queries", "Trigger")
}
