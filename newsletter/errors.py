"""Everything that can go wrong on purpose, and the exit code it ends with.

NewsletterError
├── UsageError              2   the request or the settings are wrong
│   ├── SettingsError       2   newsletter.toml or a NEWSLETTER_ variable
│   ├── SubscribersError    2   the subscriber list
│   └── TemplateError       2   a template or theme.toml
├── SourceError             3   a source of papers failed; no mail went out
├── RefusalsError           1   too many copies were refused; their issue is paused
├── BusyError               4   another run holds this database
└── SurroundingsError       5   nothing is lost, run again
    ├── RelayError          5   connecting, TLS, AUTH, or the relay's own refusal
    │   ├── RelayBusyError  5   the relay takes no connection, or no more of them, now
    │   └── SenderRefusedError 5 the relay refuses this sender: a quota, a policy, no login
    ├── MailboxError        5   returned mail cannot be read
    ├── OutboxError         5   the Maildir cannot be written
    └── DatabaseError       5   unreachable, read-only, full, newer than this program

Each message is one line that names the thing and the mend; the CLI prints it as it stands.
"""


class NewsletterError(Exception):
    """The root: a fault with a one-line message for the person at the keyboard."""

    exit_code = 1


class UsageError(NewsletterError):
    """The request cannot be carried out as it was asked."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown, missing or malformed."""


class SubscribersError(UsageError):
    """The subscriber list cannot be read; one line of the message per fault, with file and line."""


class TemplateError(UsageError):
    """A template does not compile or uses a name that does not exist."""


class SourceError(NewsletterError):
    """A source could not be read, or answered something that is no list of papers.

    Args:
        source: the spec as the operator wrote it, such as `huggingface` or `file:days/`.
        fault: what went wrong.
        mend: what to do about it.
    """

    exit_code = 3

    def __init__(self, source: str, fault: str, mend: str = "") -> None:
        super().__init__(f"source {source}: {fault}" + (f"; {mend}" if mend else ""))
        self.source = source


class BusyError(NewsletterError):
    """Another process is sending from the same SQLite database."""

    exit_code = 4


class RefusalsError(NewsletterError):
    """So many copies were refused that something must be wrong with the list or the mail."""


class SurroundingsError(NewsletterError):
    """Something outside the program failed; nothing is lost and the command can be run again."""

    exit_code = 5


class RelayError(SurroundingsError):
    """The relay cannot be reached, does not speak TLS as asked, or refuses this sender."""


class RelayBusyError(RelayError):
    """The relay takes no connection, or no more of them, now; those that stand are good."""


class SenderRefusedError(RelayError):
    """The relay refuses whatever this sender hands it; nothing is wrong with the copies."""


class MailboxError(SurroundingsError):
    """The mailbox of returned mail is not there, or cannot be read."""


class OutboxError(SurroundingsError):
    """The outbox folder cannot be written."""


class DatabaseError(SurroundingsError):
    """The database cannot be opened, read or written."""
