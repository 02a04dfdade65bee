"""The rows of the table, by what they need: a server that runs one execution, one under load, one that starts, big data."""
