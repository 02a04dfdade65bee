"""The types of this family."""

TYPES = {
    "io.kestra.plugin.gcp.bigquery.Query": ".bigquery:Query",
    "io.kestra.plugin.gcp.bigquery.Trigger": ".bigquery:Trigger",
}
ALIASES: dict[str, str] = {}
EXTRA = "gcp"
