"""The contract every way of handing over messages keeps."""

from collections.abc import Callable, Iterator
from typing import Protocol

from newsletter.models import Message, Outcome

BeforeDot = Callable[[Message], bool]


class Transport(Protocol):
    """Somewhere messages are handed to: a relay, or the outbox that stands in for one.

    `connections` is how many `deliver` runs may be open at once, each in its own thread.
    """

    name: str
    connections: int

    def deliver(self, messages: Iterator[Message | None], before_dot: BeforeDot) -> Iterator[Outcome]:
        """Hand over messages on one connection, and yield exactly one Outcome per drawn message, in order.

        Ends when the messages do or when the connection is lost; what was not drawn then is untouched.

        Args:
            messages: drawn one at a time; None means that nothing is ready, and is passed over.
            before_dot: called when all but the final dot of a message is out. It notes that the message is about to
                be sent; False means that it must not be (another sender took it), and the connection is closed.

        Raises:
            RelayError: connecting, TLS or AUTH failed, or the relay refuses this sender; nothing was handed over.
            OutboxError: the outbox cannot be written.
        """
        ...
