"""Checks that say when an implementation of a port is right, for whoever writes one. Knows no test runner."""

from llm_net.testing.carrier_check import check_carrier
from llm_net.testing.journal_check import check_journal
from llm_net.testing.model_check import check_model
from llm_net.testing.monitor_check import check_monitor
from llm_net.testing.runtime import check_runtime

__all__ = ["check_carrier", "check_journal", "check_model", "check_monitor", "check_runtime"]
