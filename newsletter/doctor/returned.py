"""Where returned mail comes to: opened and peeked into, nothing taken."""

from collections.abc import Iterator

from newsletter.doctor.check import OFFLINE, OK, SKIP, Check, Installation
from newsletter.send.mailbox import open_mailbox

NAMES = ("bounces",)


def checks(it: Installation) -> Iterator[Check]:
    """Yield whether the mailbox of returned mail can be read.

    Raises:
        MailboxError: it cannot.
    """
    settings = it.settings.bounces
    if settings.mailbox is None:
        yield Check("bounces", SKIP, "bounces.mailbox is not set")
    elif it.offline and settings.mailbox == "imap":
        yield Check("bounces", SKIP, OFFLINE)
    else:
        waits = any(True for _mail in open_mailbox(settings, it.folder).mails())
        yield Check("bounces", OK, f"{settings.mailbox} can be read; {'mail waits' if waits else 'nothing new'}")
