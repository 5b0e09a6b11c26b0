"""Tests, which mirror the package; `scenarios` has those with real processes and clients."""

from hypothesis import HealthCheck, settings

# How long something takes on a busy machine is no fault of what is tested.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
