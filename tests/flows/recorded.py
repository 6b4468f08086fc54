"""The recorded list days, as a source of issues."""

from datetime import date

from newsletter.parts import Parts


def days(parts: Parts) -> list[date]:
    [source] = parts.sources
    return sorted(source.days(parts.clock().date()))
