"""A network in a run: who hears whom, how deep and how far out, and what changes while it goes on."""

import asyncio
import gc
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from llm_net import Event, GenAgent, GenNetwork, Limits, Mailbox, Message
from llm_net.errors import AgentFailed, NotHandling, UnknownAddress
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage

world = Stage("world")


class Speaker(GenAgent):
    """Emits what it is told to."""

    def request(self, message: Message) -> None:
        self.emit(message.metadata.get("event", "said"), Message(body=message.body))  # type: ignore[arg-type]


class Ear(Probe):
    """Remembers what it heard, as what event and from where."""

    heard_as: list[tuple[str, str, str]] = []

    def missing(self, message: Message) -> None:
        assert self.heard is not None
        self.heard_as.append((self.heard.name, self.heard.path, message.body))


class Where(GenAgent):
    """Remembers in which network it handled what."""

    places: list[tuple[str, str]] = []
    says: str = ""

    async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
        self.places.append((self.network.id, message.body))
        await asyncio.sleep(0)
        assert self.places[-1][0] == self.network.id
        if self.says:
            yield Message(receiver="colleague", body=f"{self.network.id} {message.body}")
            self.emit("said", Message(body=message.body))


def send(network: GenNetwork, receiver: str, body: str = "", **fields: Any) -> Any:
    """Play one message; gives the run's statistics."""

    async def main() -> Any:
        async with world.run(network, Message(receiver=receiver, body=body, **fields)) as run:
            await run.wait()
        return run.statistics()

    return world.play(main())


def nested(depth: int, inside: list[GenAgent]) -> GenNetwork:
    """A network in a network and so on: n0/n1/…, with these agents in the innermost."""
    network = GenNetwork(id=f"n{depth}", agents=inside)
    for level in reversed(range(depth)):
        network = GenNetwork(id=f"n{level}", agents=[network])
    return network


# ---------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize("address", ["probe", "n1/n2/n3/probe", "n0/n1/n2/n3/probe"])
def test_a_message_reaches_an_agent_however_deep_it_is(address: str) -> None:
    send(nested(3, [probe := Probe(id="probe")]), address, "hello")
    assert probe.bodies == ["hello"]


def test_a_message_to_a_live_agent_needs_no_address() -> None:
    class Caller(GenAgent):
        friend: Any = None

        def request(self, message: Message) -> Message:
            return Message(receiver=self.friend, body="hello")

    probe = Probe(id="twin")
    inner = [GenNetwork(id="a", agents=[Probe(id="twin")]), GenNetwork(id="b", agents=[probe])]
    send(GenNetwork(agents=[*inner, Caller(id="caller", friend=probe)]), "caller")
    assert probe.bodies == ["hello"]


def test_an_id_means_the_nearest_agent_outwards() -> None:
    class Caller(GenAgent):
        def request(self, message: Message):  # type: ignore[no-untyped-def]
            yield Message(receiver="probe", body=self.network.id)
            yield Message(receiver="outer", body=self.network.id)

    near, far, outer = Probe(id="probe"), Probe(id="probe"), Probe(id="outer")
    network = GenNetwork(agents=[GenNetwork(id="inner", agents=[Caller(id="caller"), near]), far, outer])
    send(network, "caller")
    assert (near.bodies, far.bodies, outer.bodies) == (["inner"], [], ["inner"])


def test_a_path_from_outside_begins_at_the_outermost_and_from_inside_at_any_network_around() -> None:
    class Caller(GenAgent):
        def request(self, message: Message) -> Message:
            return Message(receiver="south/probe", body="from north")

    south = GenNetwork(id="south", agents=[probe := Probe(id="probe")])
    north = GenNetwork(id="north", agents=[GenNetwork(id="city", agents=[Caller(id="caller")])])
    send(GenNetwork(id="land", agents=[north, south]), "north/city/caller")
    assert probe.bodies == ["from north"]


def test_a_message_to_a_network_is_handled_by_the_network() -> None:
    class Office(GenNetwork):
        asked: list[str] = []

        def request(self, message: Message) -> Message:
            self.asked.append(message.body)
            assert self["probe"] is not None
            return message.forward("probe")

    office = Office(id="office", agents=[probe := Probe(id="probe")])
    send(GenNetwork(agents=[office]), "office", "hello")
    assert (office.asked, probe.bodies) == (["hello"], ["hello"])


def test_a_message_without_a_receiver_is_for_the_outermost_network() -> None:
    class Office(GenNetwork):
        def request(self, message: Message) -> Message:
            return message.reply(body="here")

    office = Office(id="office", agents=[Probe(id="probe")])
    assert [message.body for message in office.receive(Message())] == ["here"]


def test_replies_to_the_outside_find_it_by_object_or_by_id_whoever_it_was() -> None:
    class Clerk(GenAgent):
        def request(self, message: Message):  # type: ignore[no-untyped-def]
            yield message.reply(body="by object")
            yield Message(receiver="ann", body="by id")

    async def main() -> list[str]:
        heard: list[str] = []
        async with world.run(GenNetwork(agents=[Clerk(id="clerk")])) as run:
            first = Message(sender="ann", receiver="clerk")
            second = Message(sender="bob", receiver="clerk")
            await run.send(first)
            await run.send(second)
            async for message in run:
                heard.append(f"{message.receiver.id if message.receiver else ''} {message.body}")
                if len(heard) == 4:
                    break
        return heard

    assert world.play(main()) == ["ann by object", "ann by id", "bob by object", "ann by id"]


# ---------------------------------------------------------------------------------------------- context


def test_an_agent_in_several_networks_sees_the_one_it_is_spoken_to_in() -> None:
    shared = Where(id="shared", says="yes")
    ears, colleagues = [Ear(id="ear"), Ear(id="ear")], [Probe(id="colleague"), Probe(id="colleague")]
    networks = [
        GenNetwork(id=name, agents=[shared, ear, colleague], links=[("shared", "said", "ear")])
        for name, ear, colleague in zip(("north", "south"), ears, colleagues, strict=True)
    ]

    async def main() -> None:
        async with world.run(GenNetwork(agents=networks)) as run:
            for n in range(4):
                await run.send(Message(receiver=f"{'south' if n % 2 else 'north'}/shared", body=str(n)))

    world.play(main())
    assert shared.places == [("north", "0"), ("south", "1"), ("north", "2"), ("south", "3")]
    assert [colleague.bodies for colleague in colleagues] == [["north 0", "north 2"], ["south 1", "south 3"]]
    assert [ear.heard_as for ear in ears] == [
        [("said", "shared", "0"), ("said", "shared", "2")],
        [("said", "shared", "1"), ("said", "shared", "3")],
    ]


def test_what_a_shared_agent_asks_in_one_network_is_answered_there() -> None:
    class Asker(GenAgent):
        answers: list[str] = []

        async def arequest(self, message: Message) -> None:
            reply = await self.call(Message(receiver="local"))
            self.answers.append(f"{self.network.id}: {reply.body}")

    class Local(GenAgent):
        async def arequest(self, message: Message) -> Message:
            await asyncio.sleep(1)
            return message.reply(body=f"{self.id} of {self.network.id}")

    asker = Asker(id="asker")
    networks = [GenNetwork(id=name, agents=[asker, Local(id="local")]) for name in ("north", "south")]

    async def main() -> None:
        async with world.run(GenNetwork(agents=networks)) as run:
            await run.send(Message(receiver="north/asker"))
            await run.send(Message(receiver="south/asker"))

    world.play(main())
    assert asker.answers == ["north: local of north", "south: local of south"]


def test_the_network_of_a_network_is_the_one_around_and_of_the_outermost_itself() -> None:
    class Office(GenNetwork):
        seen: str = ""

        def request(self, message: Message) -> None:
            self.seen = self.network.id

    inner, outer = Office(id="inner"), Office(id="outer")
    outer.add(inner)
    send(outer, "inner")
    send(outer, "outer")
    assert (inner.seen, outer.seen) == ("outer", "outer")


def test_an_agent_cannot_speak_for_its_network() -> None:
    class Bold(GenAgent):
        def request(self, message: Message) -> None:
            self.network.emit("said", Message())

    with pytest.raises(AgentFailed) as failed:
        send(GenNetwork(id="office", agents=[Bold(id="bold")]), "bold")
    assert isinstance(failed.value.__cause__, NotHandling)


# ---------------------------------------------------------------------------------------------- events


def test_a_listener_hears_an_event_by_its_name_else_by_the_messages_method() -> None:
    class Listener(GenAgent):
        log: list[str] = []

        def said(self, message: Message) -> None:
            self.log.append(f"said {message.body}")

        def request(self, message: Message) -> None:
            self.log.append(f"request {message.body}")

    network = GenNetwork(
        agents=[Speaker(id="s"), listener := Listener(id="l")], links=[("s", "said", "l"), ("s", "sung", "l")]
    )
    send(network, "s", "a")
    send(network, "s", "b", metadata={"event": "sung"})
    assert listener.log == ["said a", "request b"]


def test_a_link_of_every_event_hears_each_once() -> None:
    network = GenNetwork(
        agents=[Speaker(id="s"), ear := Ear(id="ear")], links=[("s", "*", "ear"), ("s", "said", "ear")]
    )
    send(network, "s", "a")
    send(network, "s", "b", metadata={"event": "sung"})
    assert ear.heard_as == [("said", "s", "a"), ("sung", "s", "b")]


def test_events_pass_up_through_every_network_with_their_path() -> None:
    network = nested(3, [Speaker(id="s")])
    ears: dict[str, Ear] = {}
    events: dict[str, list[Event]] = {}
    inner: Any = network
    for level in range(4):
        name = inner.id
        events[name] = []
        inner.on("said", events[name].append)
        inner.add(ears.setdefault(name, Ear(id=f"ear{level}")))
        source = "/".join([*(f"n{deeper}" for deeper in range(level + 1, 4)), "s"])
        inner.link(source, "said", f"ear{level}")
        inner = inner[f"n{level + 1}"] if level < 3 else None
    send(network, "s", "hello")
    paths = {"n0": "n1/n2/n3/s", "n1": "n2/n3/s", "n2": "n3/s", "n3": "s"}
    assert {name: ear.heard_as for name, ear in ears.items()} == {
        name: [("said", path, "hello")] for name, path in paths.items()
    }
    assert {name: [event.path for event in heard] for name, heard in events.items()} == {
        name: [path] for name, path in paths.items()
    }


def test_an_inner_network_is_heard_as_one_and_its_agents_by_path_each_listener_once() -> None:
    inner = GenNetwork(id="inner", agents=[Speaker(id="s"), Speaker(id="t")])
    both, whole, one = Ear(id="both"), Ear(id="whole"), Ear(id="one")
    links = [
        ("inner", "said", "both"),
        ("inner/s", "said", "both"),
        ("inner", "said", "whole"),
        ("inner/s", "said", "one"),
    ]
    network = GenNetwork(agents=[inner, both, whole, one], links=links)
    send(network, "inner/s", "a")
    send(network, "inner/t", "b")
    assert [ear.heard_as for ear in (both, whole, one)] == [
        [("said", "inner/s", "a"), ("said", "inner/t", "b")],
        [("said", "inner/s", "a"), ("said", "inner/t", "b")],
        [("said", "inner/s", "a")],
    ]


def test_an_event_reaches_into_networks_by_links_and_a_network_hears_itself() -> None:
    class Office(GenNetwork):
        log: list[str] = []

        def said(self, message: Message) -> None:
            assert self.heard is not None
            self.log.append(f"{self.heard.path}: {message.body}")

    office = Office(id="office", agents=[Speaker(id="s"), GenNetwork(id="deep", agents=[ear := Ear(id="ear")])])
    office.link("s", "said", "deep/ear")
    office.link("s", "said", office)
    send(office, "s", "a")
    assert ear.heard_as == [("said", "s", "a")]
    assert office.log == ["s: a"]


def test_who_has_left_a_network_inside_hears_nothing_and_the_others_do() -> None:
    left, stays = Ear(id="left"), Ear(id="stays")
    team = GenNetwork(id="team", agents=[left, stays])
    network = GenNetwork(agents=[Speaker(id="speaker"), team])
    network.link("speaker", "said", "team/left")  # a link that the team knows nothing of
    network.link("speaker", "said", "team/stays")
    team.remove("left")
    list(network.receive(Message(body="hello", receiver="speaker")))
    assert left.heard_as == []
    assert stays.heard_as == [("said", "speaker", "hello")]


def test_what_a_network_emits_is_heard_inside_and_around_it() -> None:
    class Office(GenNetwork):
        def request(self, message: Message) -> None:
            self.emit("news", Message(body=message.body))

    office = Office(id="office", agents=[inside := Ear(id="inside")])
    office.link(office, "news", "inside")
    outer = GenNetwork(id="outer", agents=[office, around := Ear(id="around")], links=[("office", "news", "around")])
    send(outer, "office", "a")
    assert inside.heard_as == [("news", "office", "a")]
    assert around.heard_as == [("news", "office", "a")]


def test_a_boundary_may_stop_rename_and_rewrite_what_passes() -> None:
    class Discreet(GenNetwork):
        def boundary(self, event: Event) -> Event | None:
            match event.name:
                case "secret":
                    return None
                case "said":
                    return replace(event, name="rumour")
                case _:
                    return event

    inner = Discreet(id="inner", agents=[Speaker(id="s"), inside := Ear(id="inside")], links=[("s", "*", "inside")])
    outer = GenNetwork(id="outer", agents=[inner, around := Ear(id="around")], links=[("inner", "*", "around")])
    heard: list[str] = []
    outer.on("*", lambda event: heard.append(event.name))
    for name in ("secret", "said", "sung"):
        send(outer, "s", name, metadata={"event": name})
    assert [name for name, _, _ in inside.heard_as] == ["secret", "said", "sung"]
    assert [name for name, _, _ in around.heard_as] == ["rumour", "sung"]
    assert heard == ["rumour", "sung"]


def test_a_boundary_that_raises_is_the_speakers_error() -> None:
    class Broken(GenNetwork):
        def boundary(self, event: Event) -> Event | None:
            raise RuntimeError("no border")

    with pytest.raises(AgentFailed, match="'inner/s' failed at 'request'.*no border"):
        send(GenNetwork(agents=[Broken(id="inner", agents=[Speaker(id="s")])]), "s")


def test_whoever_emits_hears_itself_only_if_linked() -> None:
    class Narcissus(GenAgent):
        heard_itself: int = 0

        def request(self, message: Message) -> None:
            self.emit("said", Message(body="me"))

        def said(self, message: Message) -> None:
            self.heard_itself += 1

    send(GenNetwork(agents=[one := Narcissus(id="n")]), "n")
    send(GenNetwork(agents=[two := Narcissus(id="n")], links=[("n", "said", "n")]), "n")
    assert (one.heard_itself, two.heard_itself) == (0, 1)


def test_a_feedback_loop_goes_round_until_somebody_stops() -> None:
    class Half(GenAgent):
        log: list[int] = []

        def ball(self, message: Message) -> None:
            n = int(message.body)
            self.log.append(n)
            if n:
                self.emit("ball", Message(body=str(n - 1)))

    agents = [a := Half(id="a"), b := Half(id="b")]
    network = GenNetwork(agents=agents, links=[("a", "ball", "b"), ("b", "ball", "a")])
    send(network, "a", "6", method="ball")
    assert (a.log, b.log) == ([6, 4, 2, 0], [5, 3, 1])


# ---------------------------------------------------------------------------------------------- changes while it runs


class Slow(Probe):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2)

    async def arequest(self, message: Message) -> None:
        await asyncio.sleep(1)
        self.messages.append(message)


def test_who_joins_can_be_spoken_to_at_once_and_who_leaves_no_more() -> None:
    async def main() -> None:
        network = GenNetwork(id="office", agents=[])
        async with world.run(network) as run:
            with pytest.raises(UnknownAddress):
                await run.send(Message(receiver="late"))
            network.add(late := Probe(id="late"))
            await run.send(Message(receiver="late", body="a"))
            await asyncio.sleep(1)
            network.remove("late")
            with pytest.raises(UnknownAddress):
                await run.send(Message(receiver="late"))
            network.add(late)
            await run.send(Message(receiver="late", body="b"))
        assert late.bodies == ["a", "b"]

    world.play(main())


def test_links_made_and_undone_count_from_the_next_event_on() -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Speaker(id="s"), ear := Ear(id="ear")])
        async with world.run(network) as run:
            for n, change in enumerate([None, network.link, None, network.unlink, network.link]):
                if change is not None:
                    change("s", "said", "ear")
                await run.send(Message(receiver="s", body=str(n)))
                await asyncio.sleep(1)
        assert [body for _, _, body in ear.heard_as] == ["1", "2", "4"]

    world.play(main())


def test_a_handler_may_change_its_network() -> None:
    class Manager(GenAgent):
        def request(self, message: Message):  # type: ignore[no-untyped-def]
            for n in range(3):
                self.network.add(Probe(id=f"worker{n}"))
                self.network.link(self, "work", f"worker{n}")
                yield Message(receiver=f"worker{n}", body="welcome")
            self.emit("work", Message(body="work"))
            yield Message(receiver="worker0", body="bye")
            self.network.remove("worker1")
            self.emit("work", Message(body="more"))

    network = GenNetwork(agents=[Manager(id="manager")])
    statistics = send(network, "manager")
    workers = [agent for agent in network if isinstance(agent, Probe)]
    assert [worker.bodies for worker in workers] == [["welcome", "work", "bye", "more"], ["welcome", "work", "more"]]
    assert statistics.dead == 2  # what waited for the one that left


def test_what_waits_for_an_agent_that_is_removed_goes_to_the_dead_letters_and_its_callers_are_told() -> None:
    class Caller(GenAgent):
        error: str = ""

        async def arequest(self, message: Message) -> None:
            try:
                await self.call(Message(receiver="slow"))
            except UnknownAddress as error:
                self.error = str(error)

    async def main() -> None:
        network = GenNetwork(id="office", agents=[slow := Slow(id="slow"), caller := Caller(id="caller")])
        async with world.run(network) as run:
            await run.send(Message(receiver="slow", body="in hand"))
            await run.send(Message(receiver="slow", body="waiting"))
            await run.send(Message(receiver="caller"))
            await asyncio.sleep(0.5)
            assert network.remove("slow") is slow
        assert slow.bodies == ["in hand"]  # what it had begun it brought to its end
        assert [letter.message.body for letter in run.dead_letters] == ["waiting", ""]
        assert "'slow' was removed from network 'office'" in caller.error

    world.play(main())


def test_who_waits_for_room_at_an_agent_that_is_removed_goes_on() -> None:
    class Flood(GenAgent):
        error: str = ""

        async def arequest(self, message: Message) -> None:
            try:
                for _ in range(10):
                    await self.send(Message(receiver="slow"))
            except UnknownAddress as error:
                self.error = str(error)

    async def main() -> None:
        network = GenNetwork(agents=[slow := Slow(id="slow"), flood := Flood(id="flood")])
        async with world.run(network, Message(receiver="flood")) as run:
            await asyncio.sleep(0.5)
            network.remove(slow)
            await run.wait()
        assert "no agent 'slow'" in flood.error
        assert asyncio.get_running_loop().time() == 1

    world.play(main())


def test_who_waits_from_the_outside_for_an_agent_that_is_removed_goes_on() -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Slow(id="slow")])
        async with world.run(network) as run:

            async def flood() -> None:
                with pytest.raises(UnknownAddress):
                    for _ in range(10):
                        await run.send(Message(receiver="slow"))

            task = asyncio.create_task(flood())
            await asyncio.sleep(0.5)
            network.remove("slow")
            await task

    world.play(main())


def test_removing_a_network_removes_what_is_inside() -> None:
    async def main() -> None:
        inner = GenNetwork(id="inner", agents=[slow := Slow(id="slow")])
        outer = GenNetwork(agents=[inner])
        async with world.run(outer) as run:
            for n in range(2):
                await run.send(Message(receiver="slow", body=str(n)))
            await asyncio.sleep(0.5)
            outer.remove(inner)
            with pytest.raises(UnknownAddress):
                await run.send(Message(receiver="slow"))
            inner.add(Probe(id="unseen"))  # nobody here watches it any more
        assert slow.bodies == ["0"]
        assert run.statistics().dead == 1

    world.play(main())


def test_an_agent_that_leaves_one_of_its_networks_is_still_reached_in_the_other() -> None:
    async def main() -> None:
        slow = Slow(id="slow")
        networks = [GenNetwork(id=name, agents=[slow]) for name in ("north", "south")]
        async with world.run(GenNetwork(agents=networks)) as run:
            for n, name in enumerate(["north", "south", "north"]):
                await run.send(Message(receiver=f"{name}/slow", body=str(n)))
            await asyncio.sleep(0.5)
            networks[0].remove(slow)
        assert slow.bodies == ["0", "1"]
        assert [letter.message.body for letter in run.dead_letters] == ["2"]

    world.play(main())


def test_changes_deep_inside_a_network_that_joined_late_count_too() -> None:
    async def main() -> None:
        outer = GenNetwork(agents=[])
        async with world.run(outer) as run:
            outer.add(middle := GenNetwork(id="middle"))
            middle.add(inner := GenNetwork(id="inner"))
            inner.add(probe := Probe(id="probe"))
            await run.send(Message(receiver="middle/inner/probe", body="a"))
            await asyncio.sleep(1)
            inner.remove("probe")
            inner.add(second := Probe(id="probe"))
            await run.send(Message(receiver="middle/inner/probe", body="b"))
        assert (probe.bodies, second.bodies) == (["a"], ["b"])

    world.play(main())


def test_agents_that_come_and_go_leave_nothing_behind_in_a_long_run() -> None:
    class Passer(Probe):
        pass

    async def main() -> None:
        network = GenNetwork(agents=[])
        async with Stage("world", watched=False).run(network, limits=Limits(seconds=None)) as run:
            for n in range(2_000):
                network.add(Passer(id=f"p{n}"))
                await run.send(Message(receiver=f"p{n}"))
                await asyncio.sleep(1)
                network.remove(f"p{n}")
            gc.collect()
            alive = sum(isinstance(thing, Passer) for thing in gc.get_objects())
            run.cancel()
        assert alive < 20

    world.play(main())


def test_a_network_inside_itself_can_be_run() -> None:
    network = GenNetwork(id="snake", agents=[Speaker(id="s"), ear := Ear(id="ear")], supervision="restart")
    network.add(network)
    network.link("s", "said", "ear")
    send(network, "s", "a")
    assert ear.heard_as[0] == ("said", "s", "a")
