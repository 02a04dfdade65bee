"""The composition root: settings into backends into loops. The only place that chooses."""

from penstock.app.application import App

__all__ = ["App"]
