"""When a conversation is over. Knows what was said, not what it is about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llm_net.protocols.dialogue.line import Line
from llm_net.protocols.dialogue.majority import normalised


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation so far.

    Args:
        members: who takes part and is still there.
        said: first to last.
    """

    members: Sequence[str]
    said: Sequence[Line]


class Ending(ABC):
    """A condition under which a conversation is over. `a | b` is over where one of them is, `a & b` where both are."""

    @abstractmethod
    def reason(self, talk: Talk) -> str:
        """Why it is over; "" where it goes on."""

    def __or__(self, other: Ending) -> Ending:
        return Either(self, other)

    def __and__(self, other: Ending) -> Ending:
        return Both(self, other)


@dataclass(frozen=True)
class Either(Ending):
    """Over where one of two is, for the reason of the first that is."""

    one: Ending
    other: Ending

    def reason(self, talk: Talk) -> str:
        return self.one.reason(talk) or self.other.reason(talk)


@dataclass(frozen=True)
class Both(Ending):
    """Over where two are, for both reasons."""

    one: Ending
    other: Ending

    def reason(self, talk: Talk) -> str:
        reasons = self.one.reason(talk), self.other.reason(talk)
        return " and ".join(dict.fromkeys(reasons)) if all(reasons) else ""


@dataclass(frozen=True)
class Turns(Ending):
    """After so many turns, at least 1; a turn in which nothing was said is one too."""

    most: int

    def reason(self, talk: Talk) -> str:
        return f"{self.most} turns are over" if len(talk.said) >= self.most else ""


@dataclass(frozen=True)
class Words(Ending):
    """Once somebody says these words, in upper or lower case."""

    text: str

    def reason(self, talk: Talk) -> str:
        found = any(self.text.casefold() in line.text.casefold() for line in talk.said)
        return f"{self.text!r} was said" if found else ""


@dataclass(frozen=True)
class When(Ending):
    """Once a function says so.

    Args:
        holds: of what was said so far.
        because: the reason to give.
    """

    holds: Callable[[Sequence[Line]], bool]
    because: str

    def reason(self, talk: Talk) -> str:
        return self.because if self.holds(talk.said) else ""


@dataclass(frozen=True)
class AllSilent(Ending):
    """Once everybody who is there had nothing to say, one after the other."""

    def reason(self, talk: Talk) -> str:
        silent: set[str] = set()
        for line in reversed(talk.said):
            if line.text:
                break
            silent.add(line.speaker)
        return "nobody has anything to say" if silent.issuperset(talk.members) else ""


@dataclass(frozen=True)
class NoProgress(Ending):
    """Once so many things in a row had all been said before, but for spelling; turns of silence do not count.

    Args:
        repeats: how many, at least 1.
    """

    repeats: int = 2

    def reason(self, talk: Talk) -> str:
        texts = [normalised(line.text) for line in talk.said if line.text]
        last = range(len(texts) - self.repeats, len(texts))
        stuck = last.start > 0 and all(texts[place] in texts[:place] for place in last)
        return "the same is said again" if stuck else ""


@dataclass(frozen=True)
class Tokens(Ending):
    """Once what was said comes to so many tokens, by estimate: one for each 3 bytes of UTF-8, as `llm_net.chat` has it."""

    most: int

    def reason(self, talk: Talk) -> str:
        used = sum(len(line.text.encode(errors="replace")) // 3 + 1 for line in talk.said if line.text)
        return f"{self.most} tokens are used up" if used >= self.most else ""
