"""The observer that writes to logging."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from decimal import Decimal

import pytest

from llm_net import GenAgent, GenNetwork, Message
from llm_net.chat import Usage
from llm_net.errors import AgentFailed
from llm_net.observe.log import Log
from llm_net.ports import Observation


class Echo(GenAgent):
    async def arequest(self, message: Message) -> Message:
        if message.body == "burst":
            raise ValueError("too full")
        return message.reply(body=message.body)


class Kept(logging.Handler):
    """A handler that keeps its records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Iterator[Kept]:
    logger, handler = logging.getLogger("llm_net"), Kept()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


def run(body: str, log: Log) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Echo(id="echo")])
        async with network.run(Message(body=body, receiver=network["echo"]), observers=[log]):
            pass

    asyncio.run(main())


def test_each_step_of_a_message_is_a_record_with_its_facts(kept: Kept) -> None:
    run("secret", Log())

    assert [(vars(record)["kind"], vars(record)["address"]) for record in kept.records] == [
        ("sent", "echo"),
        ("started", "echo"),
        ("sent", ""),
        ("handled", ""),
        ("handled", "echo"),
        ("ended", kept.records[-1].__dict__["address"]),
    ]
    reply = vars(kept.records[2])
    assert reply["sender"] == "echo"
    assert reply["method"] == "response"
    assert reply["reply_to"] == vars(kept.records[0])["message_id"]
    assert len({vars(record)["run"] for record in kept.records}) == 1
    assert not any("secret" in str(vars(record)) for record in kept.records)


def test_bodies_are_written_only_if_they_are_asked_for(kept: Kept) -> None:
    run("hello", Log(bodies=True))

    assert vars(kept.records[0])["body"] == "hello"


def test_a_failure_is_an_error_with_its_traceback(kept: Kept) -> None:
    with pytest.raises(AgentFailed):
        run("burst", Log())

    failed, ended = (record for record in kept.records if record.levelno == logging.ERROR)
    assert failed.getMessage() == "echo failed 'request' from outside: ValueError: too full"
    assert failed.exc_info is not None
    assert failed.exc_info[0] is ValueError
    assert vars(ended)["kind"] == "ended"


def test_a_record_says_who_sent_what_to_whom(kept: Kept) -> None:
    run("hello", Log())
    Log().observe(Observation("emitted", "1", "anna", Message(sender=Echo(id="anna")), event="news"))

    said = [record.getMessage() for record in kept.records]
    assert said[:3] == [
        "outside sent 'request' to echo",
        "echo started 'request' from outside",
        "echo sent 'response' to outside",
    ]
    assert said[-1] == "anna emitted 'request' as event 'news'"


def test_a_cancelled_run_is_no_error(kept: Kept) -> None:
    async def main() -> None:
        async with GenNetwork(id="town", agents=[Echo(id="echo")]).run(observers=[Log()]) as cancelled:
            cancelled.cancel()

    asyncio.run(main())

    (ended,) = kept.records
    assert (ended.levelno, ended.getMessage().rpartition(": ")[0][-12:]) == (logging.INFO, "RunCancelled")
    assert vars(ended)["status"] == "cancelled"


def test_what_nobody_wants_to_read_is_not_made(kept: Kept) -> None:
    logging.getLogger("llm_net").setLevel(logging.INFO)

    run("hello", Log())

    assert [vars(record)["kind"] for record in kept.records] == ["ended"]


def test_another_logger_may_be_given(kept: Kept) -> None:
    run("hello", Log(logging.getLogger("llm_net.mine")))

    assert {record.name for record in kept.records} == {"llm_net.mine"}


def test_a_call_of_a_model_is_told_with_its_tokens(kept: Kept) -> None:
    usage = Usage(requests=1, input_tokens=12, output_tokens=7, cost=Decimal("0.001"))

    Log().observe(Observation("model", "1", "anna", usage=usage, seconds=0.5))

    (record,) = kept.records
    assert record.getMessage() == "anna model (12 + 7 tokens) in 0.500 s"
    assert (record.levelno, vars(record)["output_tokens"], vars(record)["cost"]) == (logging.INFO, 7, Decimal("0.001"))
