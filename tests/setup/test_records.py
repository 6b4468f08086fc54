"""The DNS records of a new list."""

from newsletter.setup.config import Answers
from newsletter.setup.records import records
from newsletter.setup.relays import RELAYS


def test_a_domain_with_an_umlaut_is_published_as_the_dns_knows_it() -> None:
    answers = Answers(
        title="Papers",
        sender="Papers <papers@bücher.example>",
        timezone="UTC",
        reader="ada@example.org",
        sources=(),
        secret_key="a secret of this test, long enough",
        relay=RELAYS["own"],
        host="mail.bücher.example",
    )
    assert [str(one) for one in records(answers, [])] == [
        'xn--bcher-kva.example. IN TXT "v=spf1 mx a:mail.xn--bcher-kva.example ~all"',
        '_dmarc.xn--bcher-kva.example. IN TXT "v=DMARC1; p=none; rua=mailto:papers@xn--bcher-kva.example"',
    ]
