"""Fixtures of the fault tests: those of the end-to-end tests."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from functional.conftest import mail, make, pytest_runtest_makereport  # noqa: E402,F401
