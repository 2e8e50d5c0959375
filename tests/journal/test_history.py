"""What a history tells of a run, in each kind of journal: messages, threads, usage, causes, exports, differences."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic import Field

from llm_net import GenAgent, GenNetwork, Message
from llm_net.chat import Completion, Request, Text, Turn, Usage, system, user
from llm_net.errors import UnknownRun
from llm_net.journal import History, MemoryJournal
from llm_net.journal.causes import Asked, Change, Happened, Replied
from llm_net.llm.function import FunctionModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Journal, Model, Run
from llm_net.runtime.local import LocalRuntime
from llm_net.supervision import Retry
from tests.journal.conftest import Make


class Review(Message):
    """Ask for a review."""

    text: str
    strict: bool = False


class Clerk(GenAgent):
    """Asks a model, fails once, throws dice, asks a critic, and asks whoever is outside."""

    orders: int = 0
    log: list[str] = []
    model: Model = Field(exclude=True)

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        self.orders += 1
        thought = await self.complete(self.model, Request([system("Be brief."), user(message.body)]))
        if self.orders == 1:
            raise ConnectionError("no line")
        dice = await self.effect("dice", lambda: 4, repeats="pure")
        review = await self.call(Review(text=thought.text, receiver="critic"))
        self.emit("draft", message.reply(body=f"draft {dice}"))
        answer = await self.call(Message(method="ask", body=f"May I? {review.body}"))
        self.log.append(f"{message.body}: {answer.body}")
        yield message.reply(body=f"{answer.body}, {review.body}")


class Critic(GenAgent):
    """Asks a specialist."""

    async def areview(self, message: Review) -> Message:
        opinion = await self.call(Message(method="check", body=message.text, receiver="specialist"))
        return message.reply(body=f"review: {opinion.body}")


class Specialist(GenAgent):
    """Asks a model too."""

    checks: int = 0
    model: Model = Field(exclude=True)

    async def acheck(self, message: Message) -> Message:
        self.checks += 1
        opinion = await self.complete(self.model, Request([user(message.body)]))
        return message.reply(body=opinion.text)


class Archive(GenAgent):
    """Listens."""

    def draft(self, message: Message) -> None:
        pass


def office() -> GenNetwork:
    cheap = FunctionModel(
        lambda turns, tools: Completion((Text("fine"),), Usage(1, 10, 1, Decimal("0.5")), "cheap-1"), name="lab:cheap"
    )
    return GenNetwork(
        id="office",
        agents=[
            Clerk(id="clerk", model=ScriptedModel(["no plan", "a plan"])),
            GenNetwork(id="board", agents=[Critic(id="critic"), Specialist(id="specialist", model=cheap)]),
            Archive(id="archive"),
        ],
        links=[("clerk", "draft", "archive")],
        supervision=Retry(times=1, delay=0.0),
    )


async def recorded(journal: Journal) -> tuple[History, Run]:
    """A run that asked, and was answered."""
    async with office().run(
        Message(body="bread", receiver="clerk"), journal=journal, runtime=LocalRuntime(seed=7)
    ) as run:
        pass
    assert run.status == "waiting"
    assert run.result is not None
    async with office().resume(journal, run.id, run.result.reply(body="yes", sender="boss")) as run:
        pass
    assert run.status == "done"
    return History(journal, run.id), run


def with_a_run(make: Make, work: Callable[[History, Run], Awaitable[None]]) -> None:
    """Record that run in a journal, and work with its history."""

    async def main() -> None:
        journal = make()
        history, run = await recorded(journal)
        await work(history, run)
        await journal.aclose()

    asyncio.run(main())


def test_messages_are_told_in_the_order_sent(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        assert [str(message) async for message in history.messages()] == [
            "outside → clerk  request: bread",
            "clerk → board/critic  review: text='a plan', strict=False",
            "board/critic → board/specialist  check: a plan",
            "board/specialist → board/critic  response: fine",
            "board/critic → clerk  response: review: fine",
            "clerk → archive  draft: draft 4",
            "clerk → outside  ask: May I? review: fine",
            "boss → clerk  response: yes",
            "clerk → outside  response: yes, review: fine",
        ]

    with_a_run(make, work)


def test_messages_are_found_by_agent_method_time_and_words(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        async def said(**select: Any) -> list[str]:
            return [message.verb async for message in history.messages(**select)]

        assert await said(agent="board/specialist") == ["check", "response"]
        assert await said(agent="board/") == ["review", "check", "response", "response"]
        assert await said(method="review") == ["review"]
        assert await said(text="FINE may") == ["ask"]
        assert await said(agent="clerk", method="response", newest=True, limit=1) == ["response"]
        everything = [message async for message in history.messages()]
        at = everything[-1].sent.at
        assert await said(since=at) == ["response", "response"]
        assert await said(until=everything[0].sent.at) == ["request"]

    with_a_run(make, work)


def test_a_thread_begins_with_its_first_message(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        assert run.result is not None
        assert [each.text for each in await history.thread(run.result.id)] == ["bread", "yes, review: fine"]
        (review,) = [message async for message in history.messages(method="review")]
        assert [each.id for each in await history.thread(review.id)] == [review.id]
        assert (await history.message(review.id)).content == {"text": "a plan", "strict": False}

    with_a_run(make, work)


def test_usage_is_told_for_each_agent_and_model(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        clerk, specialist = await history.usage()
        assert (clerk.agent, clerk.model, clerk.usage.requests) == ("clerk", "scripted", 2)
        assert (specialist.agent, specialist.model) == ("board/specialist", "lab:cheap")
        assert specialist.usage == Usage(1, 10, 1, Decimal("0.5"))
        assert clerk.usage + specialist.usage == (await history.info()).usage

    with_a_run(make, work)


def test_why_tells_what_each_step_had_learned(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        assert run.result is not None
        why = await history.why(run.result.id)

        assert why.whole
        (step,) = why.steps
        assert (step.agent, step.handled.text, step.end) == ("clerk", "bread", "handled")
        asked, threw, reviewed, allowed = step.learned  # in the try that counts
        assert isinstance(asked, Asked)
        assert [turn and (turn.role, turn.text) for turn in asked.prompt.turns] == [
            ("system", "Be brief."),
            ("user", "bread"),
        ]
        assert asked.prompt.answer == Turn("assistant", (Text("a plan"),))
        assert isinstance(threw, Happened)
        assert (threw.effect.name, threw.answer) == ("dice", 4)
        assert isinstance(reviewed, Replied)
        assert isinstance(allowed, Replied)
        assert (allowed.question.text, allowed.reply.sender, allowed.steps) == ("May I? review: fine", "boss", ())
        assert [(change.field, change.after) for change in step.changes] == [("orders", 2), ("log", ["bread: yes"])]
        # how the review came about, down to the question and no further
        (reviewing,) = reviewed.steps
        assert (reviewing.agent, reviewing.handled.id) == ("board/critic", reviewed.question.id)
        (checked,) = reviewing.learned
        assert isinstance(checked, Replied)
        (checking,) = checked.steps
        assert (checking.agent, checking.end) == ("board/specialist", "handled")
        assert checking.changes == (Change("board/specialist", "checks", None, 1),)

    with_a_run(make, work)


def test_why_reads_as_a_text(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        assert run.result is not None
        text = str(await history.why(run.result.id))

        plain = re.sub(r"  \[.*?\]$|, [0-9.]+ s\)$| for [0-9.]+ s", "", text, flags=re.MULTILINE)
        plain = re.sub(r" for [0-9.]+ s", "", plain)
        assert plain.splitlines() == [
            "clerk → outside response: yes, review: fine",
            "  because clerk handled",
            "    outside → clerk request: bread",
            "    it asked the model scripted (22 + 2 tokens",
            "        system: Be brief.",
            "        user: bread",
            "        → a plan",
            "    it did dice (pure) → 4",
            "    it asked board/critic review: text='a plan', strict=False",
            "        → review: fine",
            "        because board/critic handled",
            "          clerk → board/critic review: text='a plan', strict=False",
            "          it asked board/specialist check: a plan",
            "              → fine",
            "              because board/specialist handled",
            "                board/critic → board/specialist check: a plan",
            "                it asked the model lab:cheap (10 + 1 tokens",
            "                    user: a plan",
            "                    → fine",
            "                it left board/specialist.checks 1",
            "    it asked outside ask: May I? review: fine",
            "        → yes",
            "    it made clerk.orders 1 → 2",
            '    it made clerk.log [] → ["bread: yes"]',
            "  which came from outside",
        ]

    with_a_run(make, work)


class Relay(GenAgent):
    """Passes a number on until it is 0."""

    def do(self, message: Message) -> Message | None:
        left = int(message.body)
        return Message(method="do", body=str(left - 1), receiver=self) if left else None


def test_why_goes_back_as_far_as_it_is_asked(make: Make) -> None:
    async def main() -> None:
        journal = make()
        network = GenNetwork(id="ring", agents=[Relay(id="relay")])
        async with network.run(Message(method="do", body="900", receiver="relay"), journal=journal) as run:
            pass
        history = History(journal, run.id)
        (last,) = [message async for message in history.messages(newest=True, limit=1)]
        some = await history.why(last.id, steps=20)
        assert [step.handled.text for step in some.steps] == [str(left) for left in range(1, 21)]
        assert not some.whole
        assert str(some).endswith("and so on: this is not the beginning")
        (first,) = [message async for message in history.messages(limit=1)]
        assert str(await history.why(first.id)).endswith("it came from outside")
        await journal.aclose()

    asyncio.run(main())


def test_why_goes_back_through_a_long_chain_without_recursion() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        network = GenNetwork(id="ring", agents=[Relay(id="relay")])
        async with network.run(Message(method="do", body="150", receiver="relay"), journal=journal) as run:
            pass
        (last,) = [message async for message in History(journal, run.id).messages(newest=True, limit=1)]
        why = await History(journal, run.id).why(last.id, steps=10_000)
        assert len(why.steps) == 150
        assert why.whole

    asyncio.run(main())


def test_a_message_that_is_not_there_is_a_clear_error(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        for ask in (history.why, history.thread, history.message):
            with pytest.raises(UnknownRun, match="with a message nobody"):
                await ask("nobody")
        with pytest.raises(UnknownRun, match="no run 'other'"):
            await History(history.journal, "other").info()

    with_a_run(make, work)


# ---------------------------------------------------------------------------------------------- exports


def test_jsonl_has_a_line_for_each_fact(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        lines = [json.loads(line) async for line in history.jsonl()]
        facts = [fact async for fact in history.journal.read(history.run)]
        assert [line["seq"] for line in lines] == [fact.seq for fact in facts]
        assert [line["fact"] for line in lines] == [type(fact).__name__.lower() for fact in facts]
        sent = next(line for line in lines if line["fact"] == "sent" and line["method"] == "review")
        assert sent["message"]["fields"]["text"] == "a plan"
        states = [state for line in lines if line["fact"] == "ended" for state in line["states"]]
        assert {state["agent"] for state in states} == {"clerk", "board/specialist"}
        assert sum(line["cost"] == "0.5" for line in lines if line["fact"] == "effect") == 1

    with_a_run(make, work)


def test_the_sequence_diagram_shows_who_said_what_to_whom(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        assert (await history.sequence(limit=6)).splitlines() == [
            "sequenceDiagram",
            "    participant p0 as outside",
            "    participant p1 as clerk",
            "    participant p2 as board/critic",
            "    participant p3 as board/specialist",
            "    participant p4 as archive",
            "    p0->>p1: request#58; bread",
            "    p1->>p2: review#58; text='a plan', strict=False",
            "    p2->>p3: check#58; a plan",
            "    p3-->>p2: response#58; fine",
            "    p2-->>p1: response#58; review#58; fine",
            "    p1-)p4: draft#58; draft 4",
            "    Note over p0: and 3 more messages",
        ]

    with_a_run(make, work)


def test_nothing_that_is_said_can_break_the_diagram() -> None:
    hostile = 'end; participant x%%{init: {}}%% #quot; <b>&"`\\ Note over p0: \n loop \u2028 [] -->> x'

    async def main() -> None:
        journal = MemoryJournal()
        network = GenNetwork(id="n", agents=[Archive(id="a; end #1"), Relay(id="end")])
        async with network.run(Message(method="draft", body=hostile, receiver="a; end #1"), journal=journal) as run:
            pass
        _, outside, agent, arrow = (await History(journal, run.id).sequence()).splitlines()
        assert outside == "    participant p0 as outside"
        assert agent == "    participant p1 as a#59; end #35;1"
        assert re.fullmatch(r"    p0->>p1: (?:[\w .,!?'()/=+*-]|#\d+;)+", arrow)

    asyncio.run(main())


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def test_spans_hang_together(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        exported = json.loads(await history.otel(contents=True))
        (resource,) = exported["resourceSpans"]
        assert attributes(resource["resource"]) == {"service.name": "office"}
        spans = resource["scopeSpans"][0]["spans"]
        by_id = {span["spanId"]: span for span in spans}
        assert len(by_id) == len(spans)
        assert {len(span["traceId"]) for span in spans} == {32}
        assert {len(id) for id in by_id} == {16}
        assert len({span["traceId"] for span in spans}) == 1
        parents = {span["name"]: by_id.get(span.get("parentSpanId"), {"name": ""})["name"] for span in spans}
        assert parents == {
            "invoke_workflow office": "",
            "invoke_agent clerk": "invoke_workflow office",
            "invoke_agent board/critic": "invoke_agent clerk",
            "invoke_agent board/specialist": "invoke_agent board/critic",
            "invoke_agent archive": "invoke_agent clerk",
            "chat scripted": "invoke_agent clerk",
            "execute_tool dice": "invoke_agent clerk",
            "chat lab:cheap": "invoke_agent board/specialist",
        }
        assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans)
        named = {span["name"]: span for span in spans}
        model = attributes(named["chat lab:cheap"])
        assert (model["gen_ai.provider.name"], model["gen_ai.request.model"]) == ("lab", "cheap")
        assert (model["gen_ai.usage.input_tokens"], model["gen_ai.usage.output_tokens"]) == ("10", "1")
        assert json.loads(model["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "a plan"}]
        assert json.loads(model["gen_ai.output.messages"])[0]["finish_reason"] == "stop"
        assert json.loads(attributes(named["chat scripted"])["gen_ai.system_instructions"])[0]["content"] == "Be brief."
        assert [event["name"] for event in named["invoke_agent clerk"]["events"]] == ["retried"]
        assert "status" not in named["invoke_agent clerk"]
        assert await history.otel(contents=True) == await history.otel(contents=True)
        assert "a plan" not in await history.otel()

    with_a_run(make, work)


def test_a_failed_run_is_a_failed_span(make: Make) -> None:
    async def main() -> None:
        journal = make()
        network = GenNetwork(id="ring", agents=[Relay(id="relay")])
        run = network.run(Message(method="do", body="no number", receiver="relay"), journal=journal)
        with pytest.raises(Exception, match="invalid literal"):
            async with run:
                pass
        spans = json.loads(await History(journal, run.id).otel())["resourceSpans"][0]["scopeSpans"][0]["spans"]
        assert [span["status"]["code"] for span in spans] == [2]  # what failed may be handled again, so it has no end
        assert attributes(spans[0])["error.type"] == "AgentFailed"
        await journal.aclose()

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------- differences


def test_a_fork_differs_from_where_it_was_edited(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        (review,) = [message async for message in history.messages(method="review")]
        fork = office().fork(history.journal, history.run, review.id, edit={"text": "another plan"})
        async with fork:
            pass

        difference = await history.compare(fork.id)

        assert difference.shared == review.sent.seq
        assert difference.first is not None
        assert [each and each.text for each in difference.first] == [
            "text='a plan', strict=False",
            "text='another plan', strict=False",
        ]
        assert str(difference).splitlines() == [
            "5 messages are the same, 4 are not",
            "- clerk → board/critic  review: text='a plan', strict=False",
            "+ clerk → board/critic  review (edited): text='another plan', strict=False",
            "- board/critic → board/specialist  check: a plan",
            "+ board/critic → board/specialist  check: another plan",
            "- boss → clerk  response: yes",
            "+",
            "- clerk → outside  response: yes, review: fine",
            "+",
        ]
        why = await History(history.journal, fork.id).why(next(iter(await _ids(fork.id, history.journal, "check"))))
        assert [step.handled.text for step in why.steps] == ["text='another plan', strict=False", "bread"]

    with_a_run(make, work)


async def _ids(run: str, journal: Journal, method: str) -> list[str]:
    return [message.id async for message in History(journal, run).messages(method=method)]


def test_a_fork_that_does_the_same_differs_in_nothing(make: Make) -> None:
    async def work(history: History, run: Run) -> None:
        again = office().fork(history.journal, history.run, (await _ids(history.run, history.journal, "ask"))[0])
        async with again:
            pass
        difference = await History(history.journal, again.id).compare(history.run)
        assert difference.same == 7
        assert [pair[0] for pair in difference.pairs] == [None, None]  # it was not answered

    with_a_run(make, work)


class Racer(GenAgent):
    """Answers after a while."""

    async def ado(self, message: Message) -> Message:
        await asyncio.sleep(float(message.body))
        return Message(method="inform", body=self.id)


def test_who_was_quicker_makes_no_difference() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        names: list[str] = []
        for slow in ("anna", "bert"):
            network = GenNetwork(id="race", agents=[Racer(id="anna"), Racer(id="bert")])
            async with network.run(journal=journal) as run:
                for racer in ("anna", "bert"):
                    body = "0.01" if racer == slow else "0"
                    await run.send(Message(method="do", body=body, receiver=racer))
            names.append(run.id)
        first, second = [[m.text async for m in History(journal, name).messages(method="inform")] for name in names]
        assert first == second[::-1]
        difference = await History(journal, names[0]).compare(names[1])
        assert difference.shared == 0
        assert [(left and left.verb, right and right.verb) for left, right in difference.pairs] == [("do", "do")] * 2

    asyncio.run(main())


def test_a_compacted_run_is_told_as_far_as_it_is_known(make: Make) -> None:
    async def main() -> None:
        journal = make()
        async with office().run(Message(body="bread", receiver="clerk"), journal=journal) as run:
            pass
        assert run.result is not None
        question = run.result.id
        await journal.forget(run.id, keep_open=True)
        history = History(journal, run.id)
        why = await history.why(question)
        assert [step.agent for step in why.steps] == ["clerk"]
        assert isinstance(why.steps[0].learned[0], Asked)
        assert str(why)
        assert (await history.sequence()).startswith("sequenceDiagram")
        assert json.loads(await history.otel())
        await journal.aclose()

    asyncio.run(main())
