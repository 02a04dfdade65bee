"""Where records are kept: SQLite for real, memory for tests; each answers every port of the store.

Records come in as the ports' structs and go out the same; nothing in here decides anything about them.
`filters` says what the conditions of a search mean, so that every store understands them alike.
"""
