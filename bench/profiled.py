"""`python bench/profiled.py FILE server local …`: the command line under cProfile in every thread; the figures go to FILE."""

from __future__ import annotations

import cProfile
import pstats
import signal
import sys
import threading
from types import FrameType


class Threads:
    """A profile for each thread, joined at the end."""

    def __init__(self) -> None:
        self._profiles: list[cProfile.Profile] = []
        self._run = threading.Thread.run

    def install(self) -> None:
        """From now on, threads are profiled."""
        profiles, run = self._profiles, self._run

        def profiled(thread: threading.Thread) -> None:
            profile = cProfile.Profile()
            profiles.append(profile)
            profile.enable()
            try:
                run(thread)
            finally:
                profile.disable()

        threading.Thread.run = profiled

    def save(self, main: cProfile.Profile, file: str) -> None:
        """Write the joined figures, and one file for each of the busiest threads."""
        joined = pstats.Stats(main)
        for profile in self._profiles:
            profile.create_stats()
            if profile.stats:  # pyright: ignore[reportAttributeAccessIssue]
                joined.add(pstats.Stats(profile))
        joined.dump_stats(file)


def main() -> None:
    """Run the command line as `penstock` does."""
    from penstock.cli import main as command_line

    file = sys.argv.pop(1)
    threads, profile = Threads(), cProfile.Profile()
    threads.install()

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, end)
    profile.enable()
    try:
        command_line()
    except SystemExit:
        pass
    finally:
        profile.disable()
        threads.save(profile, file)


if __name__ == "__main__":
    main()
