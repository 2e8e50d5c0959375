"""What all tests share: the markers, and hypothesis without chance or clock."""

import signal

import hypothesis
import pytest

# A shell starts what it puts into the background with Ctrl-C ignored, and children inherit that; some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


MARKERS = {
    "model": "needs the weights of the embedded model (`make models` fetches them)",
    "server": "starts a real server on loopback",
}

hypothesis.settings.register_profile("house", derandomize=True, deadline=None)
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers; any other is an error."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
