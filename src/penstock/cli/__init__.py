"""The `penstock` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line; heavy parts are imported only by the command that needs them."""
    from penstock.cli.commands import app

    app()
