"""Secrets stay out of what is kept, and runs go on without them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, GenNetwork, Message
from llm_net.agents.assistant import Assistant
from llm_net.journal import MemoryJournal, Redacting, SqliteJournal
from llm_net.journal.redact import REDACTED
from llm_net.llm.function import FunctionModel
from llm_net.ports import Redacts
from llm_net.record import Fact, Part, Select, Sent

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n-----END RSA PRIVATE KEY-----"

KEYS = [
    "sk-proj-4f9sK2xQ8vL1mN7bT3cR",
    "sk-ant-api03-4f9sK2xQ8vL1mN7bT3cR",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "xoxb-123456789012-abcdefABCDEF",
    "glpat-abcdefghijklmnopqrst",
    "hf_abcdefghijklmnopqrstuvwxyz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    PEM,
]


def redacted(text: str, *secrets: str) -> str:
    """A text, as it comes back from a journal."""
    return str(json.loads(Redacting(MemoryJournal(), secrets=secrets).redact(json.dumps(text).encode())))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("text", ["{}", "the key is {}.", 'a\n{}\nb "{}"', "https://example.com/?key={}&x=1", "key={}"])
def test_the_usual_keys_are_found(key: str, text: str) -> None:
    assert redacted(text.replace("{}", key)) == text.replace("{}", REDACTED)


@pytest.mark.parametrize("key", KEYS)
def test_the_usual_keys_are_found_in_json_inside_of_json(key: str) -> None:
    inside = json.dumps({"note": f"see:\n{key}", "n": 1})

    assert redacted(inside) == inside.replace(json.dumps(key)[1:-1], REDACTED)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abcdefgh12345678ijkl==", f"Authorization: Bearer {REDACTED}"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", f"Authorization: Basic {REDACTED}"),
        ("postgresql://app:hunter2@db.example.com/app", f"postgresql://app:{REDACTED}@db.example.com/app"),
        (PEM.partition("\n-----END")[0] + '", cut short', REDACTED),
    ],
)
def test_of_a_header_or_an_address_only_the_secret_goes(text: str, kept: str) -> None:
    assert redacted(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "The task-oriented-dialogue-of-ours has basic responsibilities and a bearer acknowledgement.",
        "https://example.com:8080/a@b",
        "llm_net.message:Message 7-12.3 1a09fba5d3c440b83697deaf0a905d44",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_key_stays(text: str) -> None:
    data = json.dumps({"text": text, "number": 1.0, "big": 10**30}).encode()

    assert Redacting(MemoryJournal()).redact(data) is data


@given(st.text(min_size=6, max_size=20).filter(lambda text: text.isprintable() or "\n" in text), st.integers(0, 3))
def test_a_known_value_is_found_however_often_it_is_escaped(secret: str, levels: int) -> None:
    for ascii_only in (True, False):
        text = f"<{secret}>"
        for _ in range(levels):
            text = json.dumps({"a": text}, ensure_ascii=ascii_only)
        for written in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
            clean = Redacting(MemoryJournal(), secrets=[secret]).redact(written.encode())
            kept = json.loads(clean)
            for _ in range(levels):
                kept = json.loads(kept)["a"]
            assert kept == f"<{REDACTED}>"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_redacting_once_is_as_good_as_twice_and_always_the_same(value: Any) -> None:
    journal = Redacting(MemoryJournal(), secrets=["secret"])
    data = json.dumps({"a": value, "b": "my secret"}).encode()

    once = journal.redact(data)

    assert journal.redact(once) == once == journal.redact(data)
    assert json.loads(once) == json.loads(data.replace(b"secret", REDACTED.encode()))


def test_a_text_that_is_no_json_is_redacted_too() -> None:
    journal = Redacting(MemoryJournal(), secrets=["hunter22"])

    assert journal.redact(b"ValueError: wrong password hunter22") == f"ValueError: wrong password {REDACTED}".encode()
    assert journal.redact(b'KeyError: "no hunter22\\x"') == f'KeyError: "no {REDACTED}\\x"'.encode()


def test_too_short_a_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="5 characters"):
        Redacting(MemoryJournal(), secrets=["short"])


def test_a_recorder_takes_it_for_a_journal_that_redacts() -> None:
    assert isinstance(Redacting(MemoryJournal()), Redacts)


# ---------------------------------------------------------------------------------------------- whole runs


class Keeper(GenAgent):
    """Puts what it hears into all that is kept."""

    notes: list[str] = []
    by_name: dict[str, str] = {}
    last: Message | None = None

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        self.notes.append(message.body)
        self.by_name[message.body[:50]] = message.body
        self.last = message
        found = await self.effect("look up", lambda: {"found": [message.body]}, repeats="pure")
        with contextlib.suppress(ZeroDivisionError):
            await self.effect("fail", lambda: 1 / len(message.body[:0]), repeats="pure")
        try:
            await self.effect("complain", self._complain, repeats="pure")
        except KeyError as error:
            self.notes.append(str(error))
        answer = await self.call(Message(method="request", body=f"say: {message.body}", receiver="speaker"))
        self.emit(Message(method="news", body=json.dumps({"answer": answer.body, "found": str(found)})))
        if "fail" in message.body:
            raise ValueError(f"cannot bear {message.body}")
        yield message.reply(body=answer.body)

    def _complain(self) -> None:
        raise KeyError(self.notes[-1])


class Listener(GenAgent):
    """Listens."""

    last_news: str = ""

    def news(self, message: Message) -> None:
        self.last_news = message.body


def house() -> GenNetwork:
    """Whose model repeats what it is told."""
    model = FunctionModel(lambda turns, tools: f"You said {turns[-1].text}")
    return GenNetwork(
        id="house",
        agents=[
            Keeper(id="keeper"),
            Listener(id="listener"),
            Assistant(id="speaker", model=model, instructions="Repeat."),
        ],
        links=[("keeper", "news", "listener")],
        supervision="skip",
    )


SECRETS = st.text("abcXYZ0189-_\"\\/ é漢\n'&%+{}[]", min_size=8, max_size=24).filter(lambda text: text.strip() == text)
PIECES = st.sampled_from(["", "so", "fail", "\n", '"', "\\", "{", "é"])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_canary_gets_into_the_file(data: st.DataObject) -> None:
    secret = "CaNaRy" + data.draw(SECRETS)
    bodies = [
        "".join((data.draw(PIECES), secret, data.draw(PIECES))) if data.draw(st.booleans()) else data.draw(PIECES)
        for _ in range(data.draw(st.integers(1, 4)))
    ]

    async def main(path: Path) -> None:
        journal = Redacting(SqliteJournal(path, synchronous="normal"), secrets=[secret])
        async with house().run(journal=journal) as run:
            for body in bodies:
                await run.send(Message(body=body, receiver="keeper"))
        async for _ in journal.read(run.id, Select(text="so")):  # which writes the index of words
            pass
        await journal.aclose()

    with TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "run.db"))
        kept = b"".join(path.read_bytes() for path in Path(folder).iterdir())
    assert b"CaNaRy" not in kept
    assert b"canary" not in kept
    if any(secret in body for body in bodies):
        assert REDACTED.encode() in kept


def test_without_it_the_canary_is_there(tmp_path: Path) -> None:
    async def main() -> None:
        journal = SqliteJournal(tmp_path / "run.db")
        async with house().run(Message(body="CaNaRy", receiver="keeper"), journal=journal):
            pass
        await journal.aclose()

    asyncio.run(main())

    assert b"CaNaRy" in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_run_that_holds_secrets_goes_on_from_wherever_it_was_killed() -> None:
    body = "use sk-proj-4f9sK2xQ8vL1mN7bT3cR, please"

    async def main() -> None:
        whole = Redacting(MemoryJournal())
        async with house().run(Message(body=body, receiver="keeper"), journal=whole) as run:
            pass
        assert run.result is not None
        assert "sk-proj" in run.result.body  # who is there hears it; only the journal does not
        facts = [fact async for fact in whole.read(run.id)]
        assert all("sk-proj" not in repr(fact) for fact in facts)
        await house().replay(whole, run.id)
        for cut in range(2, len(facts)):
            rest = Redacting(MemoryJournal())
            await rest.write(run.id, _first(facts, cut))
            async with house().resume(rest, run.id) as again:
                pass
            assert again.status == "done"
            assert _said(facts) == _said([fact async for fact in rest.read(run.id)])

    asyncio.run(main())


def _first(facts: list[Fact], cut: int) -> list[Fact]:
    return facts[:cut]


def _said(facts: list[Fact]) -> list[tuple[str, bytes]]:
    times = [(fact.id, b"".join(fact.message.split(b'"created_at"'))) for fact in facts if isinstance(fact, Sent)]
    return sorted((id, message[message.index(b'"role"') :]) for id, message in times)


def test_the_prompt_is_kept_without_it() -> None:
    async def main() -> None:
        journal = Redacting(MemoryJournal(), secrets=["open sesame"])
        async with house().run(Message(body="it is open sesame", receiver="keeper"), journal=journal) as run:
            pass
        parts = [fact.data async for fact in journal.read(run.id) if isinstance(fact, Part)]
        assert any(f"it is {REDACTED}".encode() in part for part in parts)

    asyncio.run(main())
