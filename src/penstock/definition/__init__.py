"""Source text in, `model.Flow` out, or every problem of the source at once, each with path and line.

Both dialects become one model; the text is never rewritten. The room knows the model and the plugins' types, and nothing
of executions, stores or servers.
"""

from penstock.definition.parse import ParsedFlow, parse_document, parse_flow, problems_of_part
from penstock.definition.type_index import TypeIndex
from penstock.definition.yaml_source import Document, load_document, load_documents, load_yaml

__all__ = [
    "Document",
    "ParsedFlow",
    "TypeIndex",
    "load_document",
    "load_documents",
    "load_yaml",
    "parse_document",
    "parse_flow",
    "problems_of_part",
]
