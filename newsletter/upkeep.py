"""What is forgotten with time, so that nothing is kept of anybody for longer than it is needed."""

import logging
from datetime import timedelta

from newsletter.parts import Parts

LOG = logging.getLogger("newsletter")


def tidy(parts: Parts) -> None:
    """Forget who never confirmed their sign-up, and who got issues that are long settled.

    Raises:
        DatabaseError: the database failed; what was not forgotten yet is at the next call.
    """
    now = parts.clock()
    gone = parts.enrolments.forget_pending(now - timedelta(days=parts.signup.forget_days))
    if gone:
        LOG.info("%d who never confirmed are forgotten", gone)
    for key in parts.retention.forget_copies(now):
        LOG.info("%s: who got it is forgotten, its sums are kept", key)
