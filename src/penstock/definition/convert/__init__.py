"""1.x constructs of a flow's source become their 2.0 forms, as a text: comments, order and layout stay where they are.

A source comes in, the changed source with a diff goes out, and a reason for everything that is left to a person. What
has no 2.0 form that does the same is left as written, never guessed. Nothing here runs or stores a flow.
"""

from penstock.definition.convert.conversion import Converted, convert

__all__ = ["Converted", "convert"]
