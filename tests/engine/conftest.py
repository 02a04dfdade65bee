"""Profiles of the property tests: dev 50 examples, ci 300, soak 20,000; PENSTOCK_PROFILE names one."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from penstock.settings import environment

_COMMON = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
    "print_blob": True,
    "database": None,
}
settings.register_profile("dev", max_examples=50, **_COMMON)
settings.register_profile("ci", max_examples=300, **_COMMON)
settings.register_profile("soak", max_examples=20_000, **_COMMON)
settings.load_profile(environment().get("PENSTOCK_PROFILE", "dev"))
