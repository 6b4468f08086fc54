"""Every conversation is had twice: with a relay that offers PIPELINING and SIZE, and with one that does not."""

import pytest

from tests.send import servers


@pytest.fixture(params=["step by step", "pipelined"])
def offers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the faulty server offer more, or not; return which."""
    if request.param == "pipelined":
        monkeypatch.setitem(servers.GOOD, "EHLO", "250-here\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 8BITMIME")
    return str(request.param)
