"""The laws of a run as checks, one family to a file. Knows no test runner."""

from llm_net.testing.runtime.check import CHECKS, check_runtime

__all__ = ["CHECKS", "check_runtime"]
