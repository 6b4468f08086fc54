"""A subscriber list that an environment variable holds, so that no file of a public repository names anybody."""

import hashlib
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """The variable's name. What it holds is YAML or CSV, and shows in no warning, fault or log.

    Args:
        variable: its name, as the setting `subscribers = "env:NAME"` has it.
    """

    variable: str

    def __str__(self) -> str:
        return f"env:{self.variable}"

    @property
    def name(self) -> str:
        """What it is called where a file is called by its name."""
        return str(self)

    def text(self) -> str | None:
        """Return what the variable holds; None where there is no such variable, or an empty one."""
        return os.environ.get(self.variable) or None

    def fingerprint(self) -> str:
        """Return a hash that changes with the list; the database keeps it and learns nobody's address from it."""
        held = (self.text() or "").encode("utf-8", "surrogateescape")
        return f"{self} {hashlib.blake2b(held, digest_size=16).hexdigest()}"
