"""The runnable task types of Kestra's core, and the Process runner.

In: typed properties. Out: outputs, log lines, metrics. The family sees only `penstock.plugin` and `penstock.model`.
"""
