"""What users keep: flows and their revisions, key values, files of namespaces, secrets; and what they may start.

In: sources, texts, files and questions of the server, the executor, workers and templates. Out: rows of the ports,
parsed flows, new executions with resolved inputs, Kestra's words where something is refused. The room does not know
HTTP, how rows are stored, how an execution goes on, or where a task runs.

Modules are imported where they are used (`from penstock.catalog.flows import FlowShelf`), so that a webhook server does
not load what retention needs.
"""
