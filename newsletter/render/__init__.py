"""From an issue to the bytes of a mail."""
