"""The functions, a module per family; importing this package fills the table."""

from __future__ import annotations

from penstock.expr.functions import chance as _chance
from penstock.expr.functions import dates as _dates
from penstock.expr.functions import execution as _execution
from penstock.expr.functions import numbers as _numbers
from penstock.expr.functions import outside as _outside
from penstock.expr.functions import parsing as _parsing
from penstock.expr.functions import rendering as _rendering
from penstock.expr.functions.table import FUNCTIONS

__all__ = ["FUNCTIONS"]
_FAMILIES = (_chance, _dates, _execution, _numbers, _outside, _parsing, _rendering)
