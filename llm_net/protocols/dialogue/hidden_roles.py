"""Werewolf: a game of hidden roles with private channels. Knows its order of night and day, and nothing of the players."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.dialogue.company import everybody_but
from llm_net.protocols.dialogue.line import Line, Lines
from llm_net.protocols.dialogue.majority import majority
from llm_net.protocols.dialogue.secret import SEER, VILLAGER, WEREWOLF, Secret, dealt, known, winner
from llm_net.protocols.dialogue.turn import Say
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule
from llm_net.schema import JsonSchema


class Play(Message):
    """Play a game of hidden roles."""


class Situation(Question):
    """What a player knows.

    Args:
        part: what you are.
        known: who is what, as far as you know.
        alive: who still plays.
        news: what everybody knows, first to last.
        said: on the last day, by everybody.
    """

    part: Secret
    known: Mapping[str, Secret]
    alive: tuple[str, ...]
    news: tuple[str, ...] = ()
    said: Lines = ()


class Pick(Situation):
    """Choose a player.

    Args:
        choices: whom you may choose.
    """

    choices: tuple[str, ...]

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"player": {"type": "string", "enum": [*self.choices]}} if kind is Point else {}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Point) and answer.player not in self.choices:
            return f"{answer.player!r} cannot be chosen; choose one of {', '.join(self.choices)}."
        return None


class Night(Pick):
    """It is night: choose whom the werewolves kill, or, as the seer, at whom you look."""


class Day(Situation):
    """It is day: say something to everybody."""


class Vote(Pick):
    """Vote on who is to leave the village."""


class Point(Message):
    """Choose a player."""

    player: str


class GameOver(Outcome):
    """How the game ended.

    Args:
        winner: "werewolves" or "villagers"; None where the days were over before.
        parts: what everybody was.
        alive: who still played.
        news: what happened, first to last.
    """

    winner: str | None = None
    parts: Mapping[str, Secret] = {}
    alive: tuple[str, ...] = ()
    news: tuple[str, ...] = ()


HIDDEN_ROLES = Rules(
    "hidden-roles",
    completed([
        (START, "initiator", Night, "night"),
        ("night", "participant", Point, "pointed"),
        (START, "initiator", Day, "day"),
        ("day", "participant", Say, "spoken"),
        (START, "initiator", Vote, "voting"),
        ("voting", "participant", Point, "pointed"),
    ]),
    source="Davidoff 1986, Mafia; Plotkin 1997, Werewolf; Xu et al. 2023, Exploring Large Language Models for "
    "Communication Games: An Empirical Study on Werewolf (arXiv 2309.04658)",
    initiator="narrator",
    participant="player",
)  # fmt: skip


@dataclass(slots=True)
class _Game:
    parts: dict[str, Secret]
    alive: list[str]
    seen: list[str] = field(default_factory=list)
    news: list[str] = field(default_factory=list)
    said: list[Line] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def there(self) -> list[str]:
        """Who plays and can be asked."""
        return [name for name in self.alive if name not in self.absent]

    def those(self, part: Secret) -> list[str]:
        return [name for name in self.alive if self.parts[name] == part]


class HiddenRoles(InteractionProtocol):
    """A game of its members: `Play` is answered by `GameOver`.

    By night each werewolf chooses a victim and the seer looks at somebody; whom most werewolves chose is dead in the
    morning. By day everybody speaks in turn, then votes; who has most votes leaves. Nobody is told more than its part
    allows: not who is what, not what was chosen by night, nor who voted how. Who fails or is late
    plays on without a word.

    Args:
        ties: who dies, or leaves, of those chosen equally often; without a rule nobody does.
        parts: who is what, villagers left out; None to draw lots in each run.
        days: the most.
    """

    rules: ClassVar = (HIDDEN_ROLES,)

    ties: TieRule | None = None
    parts: Mapping[str, Secret] | None = Field(default=None, exclude=True, repr=False)
    days: int = Field(default=8, ge=1)

    async def aplay(self, message: Play) -> GameOver:
        game = _Game(self._parts(), [member.id for member in self])
        won: str | None = winner(game.alive, game.parts)
        for _ in range(self.days):
            if won is None:
                await self._night(message, game)
                won = winner(game.alive, game.parts)
            if won is None:
                await self._day(message, game)
                won = winner(game.alive, game.parts)
        return GameOver.reply(
            message,
            body=f"the {won} win" if won else "nobody wins",
            winner=won,
            parts=game.parts,
            alive=tuple(game.alive),
            news=tuple(game.news),
            absent=game.absent,
        )

    def _parts(self) -> dict[str, Secret]:
        if self.parts is None:
            return dealt([member.id for member in self], self.random)
        return {**self.parts, **dict.fromkeys(everybody_but(self, *self.parts), VILLAGER)}

    async def _night(self, play: Play, game: _Game) -> None:
        wolves, seers = game.those(WEREWOLF), game.those(SEER)
        prey = [name for name in game.alive if name not in wolves]
        questions = [self._pick(Night, play, game, name, prey) for name in wolves if name in game.there]
        for name in seers:
            unseen = [other for other in game.alive if other != name and other not in game.seen]
            if unseen and name in game.there:
                questions.append(self._pick(Night, play, game, name, unseen))
        points = await self._points(questions, game)
        dead = self._chosen(points[name] for name in wolves if name in points)
        game.seen += [points[name] for name in seers if name in points]
        self._leaves(game, dead, "was killed", "nobody was killed")

    async def _day(self, play: Play, game: _Game) -> None:
        game.said.clear()
        for name in game.there:
            day = Day.reply(play, body=play.body, receiver=name, **self._situation(game, name))
            answers = await self.collect([day])
            game.absent |= answers.absent
            game.said += [Line(speaker=name, text=say.body) for say in answers.of(Say).values()]
        others = {name: [other for other in game.alive if other != name] for name in game.there}
        votes = await self._points([self._pick(Vote, play, game, name, others[name]) for name in others], game)
        self._leaves(game, self._chosen(votes.values()), "was sent away", "nobody was sent away")

    def _situation(self, game: _Game, name: str) -> dict[str, object]:
        """What a player knows, and nothing else, as fields of a question."""
        return {
            "part": game.parts[name],
            "known": known(name, game.parts, game.seen),
            "alive": tuple(game.alive),
            "news": tuple(game.news),
            "said": tuple(game.said),
        }

    def _pick(self, kind: type[Pick], play: Play, game: _Game, name: str, choices: list[str]) -> Pick:
        situation = self._situation(game, name)
        return kind.reply(play, body=play.body, receiver=name, choices=tuple(choices), **situation)

    async def _points(self, questions: Iterable[Pick], game: _Game) -> dict[str, str]:
        answers = await self.collect(questions)
        game.absent |= answers.absent
        return {name: point.player for name, point in answers.of(Point).items()}

    def _chosen(self, points: Iterable[str]) -> str | None:
        return majority(points).answer(self.ties)

    def _leaves(self, game: _Game, name: str | None, how: str, otherwise: str) -> None:
        game.news.append(otherwise if name is None else f"{name} {how}")
        if name is not None:
            game.alive.remove(name)
