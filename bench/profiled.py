"""
A process that loads this runs under cProfile from then on; see turns.py.

The result goes, when the process ends by itself, to the file that the environment names, with the
number of the process behind a dot. Where nothing is named, nothing happens.
"""

import atexit
import cProfile
import os

_VARIABLE = "SMTPETER_BENCH_WORKERS_PROFILE"


def _begin(file: str) -> None:
    profile = cProfile.Profile()
    atexit.register(_end, profile, file)
    profile.enable()


def _end(profile: cProfile.Profile, file: str) -> None:
    profile.disable()
    profile.dump_stats(f"{file}.{os.getpid()}")


if os.environ.get(_VARIABLE):
    _begin(os.environ[_VARIABLE])
