"""A network with a hierarchy: a team shares out work among its members, and a member may be a team.

A network is an agent: it has handlers and state of its own, and can be a member of another network. What somebody deep
inside emits is heard at the top, with the path of who it was: nobody has to hand it up.

    python examples/hierarchy.py

prints

    anna: dig is done
    anna: water is done
    shed/bob: plant is done
    shed/carla: paint is done
    garden → ·  response: garden (anna 2, shed (bob 1, carla 1))
"""

from llm_net import Event, GenAgent, GenNetwork, Message


class Gardener(GenAgent):
    """Does what it is told."""

    def do(self, message: Message) -> Message:
        tasks = message.body.split()
        for task in tasks:
            self.emit(Message(method="done", body=task))
        return message.reply(body=f"{self.id} {len(tasks)}")


class Team(GenNetwork):
    """Shares out tasks among its members."""

    async def ado(self, message: Message) -> Message:
        tasks, members = message.body.split(), list(self)
        orders = [message.forward(member, body=" ".join(tasks[i :: len(members)])) for i, member in enumerate(members)]
        reports = await self.gather(orders)
        return message.reply(body=f"{self.id} ({', '.join(report.body for report in reports)})")


shed = Team(id="shed", agents=[Gardener(id="bob"), Gardener(id="carla")])
garden = Team(id="garden", agents=[Gardener(id="anna"), shed])


def show(event: Event) -> None:
    print(f"{event.path}: {event.message.body} is done")


def main() -> None:
    garden.on("done", show)
    report = garden.result_of(Message(method="do", body="dig plant water paint"))
    print(report)


if __name__ == "__main__":
    main()
