"""Random templates: nothing but the room's own errors, and never beyond the limits.

`random_templates.py` is also a program, for runs of a million; PENSTOCK_FUZZ sets how many examples the test tries.
"""

from __future__ import annotations

import os
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_templates import Generator, attempt

EXAMPLES = int(os.environ.get("PENSTOCK_FUZZ", "400"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_random_templates(chance: random.Random) -> None:
    attempt(Generator(chance).template(), chance)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(alphabet=st.sampled_from("{}%#-|.,:()[]'\"~?=+ \nabif0é\\!"), max_size=60), st.integers())
def test_random_signs(text: str, seed: int) -> None:
    attempt("{{" + text, random.Random(seed))
    attempt(text, random.Random(seed))
