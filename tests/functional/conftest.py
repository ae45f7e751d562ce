"""Fixtures of the end-to-end tests. What a test starts is ended with it, and its log is shown when it fails."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.fleetward import Fleetward  # noqa: E402
from support.hook import Hook  # noqa: E402
from support.mail import MailSink  # noqa: E402

_running = []


class Maker:
    """Makes Fleetwards in folders of their own."""

    def __init__(self, factory):
        self.factory, self.made = factory, []

    def __call__(self, settings=None, **keywords):
        made = Fleetward(self.factory.mktemp("fleetward"), settings, start=False)
        self.made.append(made)
        _running.append(made)
        if keywords.pop("start", True):
            made.start()
        return made

    def end(self):
        for made in self.made:
            made.end()
            _running.remove(made)


@pytest.fixture
def make(tmp_path_factory):
    """Fleetwards for one test."""
    maker = Maker(tmp_path_factory)
    try:
        yield maker
    finally:
        maker.end()


@pytest.fixture(scope="module")
def make_shared(tmp_path_factory):
    """Fleetwards for all tests of a file."""
    maker = Maker(tmp_path_factory)
    try:
        yield maker
    finally:
        maker.end()


@pytest.fixture
def mail():
    sink = MailSink()
    yield sink
    sink.stop()


@pytest.fixture
def kept_hook(tmp_path):
    """Variables of an endpoint that keeps what it gets in files, for clients in processes of their own (tour.arrives)."""
    folder = tmp_path / "arrived"
    folder.mkdir()
    hook = Hook(folder=folder)
    yield {"hook": hook.url, "arrived": str(folder)}
    hook.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for running in _running:
            report.sections.append((f"log of {running.data}", running.log_tail(80)))
