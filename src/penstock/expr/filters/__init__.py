"""The filters, a module per family; importing this package fills the table."""

from __future__ import annotations

from penstock.expr.filters import collections as _collections
from penstock.expr.filters import dates as _dates
from penstock.expr.filters import numbers as _numbers
from penstock.expr.filters import patterns as _patterns
from penstock.expr.filters import serialisation as _serialisation
from penstock.expr.filters import text as _text
from penstock.expr.filters.table import FILTERS

__all__ = ["FILTERS"]
_FAMILIES = (_collections, _dates, _numbers, _patterns, _serialisation, _text)
