"""A task-performing agent: it is told to do something, does it, and sends the result.

Here the task is arithmetic that takes a while, so `@blocking` runs it in a thread, where it holds up nobody. A handler
that asks some service would be async instead. Three tasks are given at once; one cannot be done, and is reported so.

    python examples/task_performing.py

prints

    clerk → ·  response: 4 primes below 10, 168 primes below 1000, ten is no number
"""

from llm_net import GenAgent, GenNetwork, Message, blocking


class Mathematician(GenAgent):
    """Counts the primes below a number."""

    @blocking
    def do(self, message: Message) -> Message:
        if not message.body.isdecimal():
            return message.reply(method="failure", body=f"{message.body} is no number")
        primes = [n for n in range(2, int(message.body)) if all(n % k for k in range(2, int(n**0.5) + 1))]
        return message.reply(method="inform", body=f"{len(primes)} primes below {message.body}")


class Clerk(GenAgent):
    """Has things computed."""

    async def arequest(self, message: Message) -> Message:
        numbers = message.body.split()
        tasks = [Message(method="do", body=number, receiver="mathematician", reply_to=message) for number in numbers]
        results = await self.gather(tasks)  # sends them all, and waits for all replies
        return message.reply(body=", ".join(result.body for result in results))


network = GenNetwork(agents=[Clerk(id="clerk"), Mathematician(id="mathematician")])


def main() -> None:
    answer = network.result_of(Message(body="10 1000 ten", receiver="clerk"))
    print(answer)


if __name__ == "__main__":
    main()
