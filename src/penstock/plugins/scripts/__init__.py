"""Script tasks: shell, Python, Node and others, run by a task runner (a process of the worker, or a container).

In: commands, files, environment. Out: exit code, variables printed as `::{…}::` lines, files. The family sees only
`penstock.plugin` and `penstock.model`.
"""
