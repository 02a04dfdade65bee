"""Penstock, a declarative workflow orchestrator."""

__version__ = "0.1.0"
