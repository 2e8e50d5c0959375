"""What all tests share: the markers, hypothesis without chance or clock, and that no thread outlives its module."""

import signal
import threading
from collections.abc import Iterator

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of what takes long is done."""
    parser.addoption("--kills", type=int, default=300, help="how many processes the tests of journals kill (300)")
    parser.addoption("--stops", type=int, default=1, help="how often a node of a cluster is made to stand still (1)")
    parser.addoption("--storm", type=float, default=3.0, help="seconds of killing nodes, servers and homes (3)")
    parser.addoption(
        "--conversations", type=int, default=1_000, help="random conversations by the rules of protocols (1,000)"
    )
    parser.addoption(
        "--every-example", action="store_true", help="let the embedded model play all examples of protocols"
    )
    parser.addoption("--conversation", metavar="NAME:SEED", help="only this one of them")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers; any other is an error."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


@pytest.fixture(autouse=True, scope="module")
def _no_thread_is_left() -> Iterator[None]:
    """In a simulated world the threads of others may be at work for somebody: it waits for them in real time."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()]
