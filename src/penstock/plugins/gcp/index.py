"""The types of this family."""

TYPES = {"io.kestra.plugin.gcp.bigquery.Query": ".bigquery:Query"}
ALIASES: dict[str, str] = {}
EXTRA = "gcp"
