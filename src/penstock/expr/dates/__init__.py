"""Dates: Java's patterns, presets and time zones on Python's datetime, with nanoseconds kept beside it."""
