"""SQL databases: one mechanism of statements, parameters and fetch types, and a small file for each database.

Type names say `jdbc`, as Kestra's do; the drivers are Python's (DB-API), their URLs are translated.
"""
