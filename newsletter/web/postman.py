"""The thread beside the pages: it sends the confirmations and welcomes, and forgets what is to be forgotten."""

import logging
import threading

from newsletter import notices, upkeep
from newsletter.errors import NewsletterError
from newsletter.parts import Parts

LOG = logging.getLogger("newsletter.web")
ROUND = 2.0  # seconds between looks
REST = 60.0  # after a fault of the relay
TIDY = 3600.0


class Postman:
    """Sends notices for as long as it runs; what it cannot send waits in the database."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="postman", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the mail that is in hand."""
        self._ended.set()
        self._thread.join(timeout=30)

    def _work(self) -> None:
        tidied = -TIDY
        worked = 0.0
        while not self._ended.is_set():
            if worked - tidied >= TIDY:
                tidied = worked
                self._tidy()
            pause = self._round()
            worked += pause
            self._ended.wait(pause)

    def _round(self) -> float:
        """Send what is due; return how long to rest."""
        try:
            sent = notices.post(self._parts)
        except NewsletterError as fault:
            LOG.warning("confirmations wait: %s", fault)
            return REST
        except Exception:  # the thread has to live on: nobody else confirms
            LOG.exception("confirmations wait: unexpected fault, please report it")
            return REST
        LOG.debug("%d notices sent", sent)
        return ROUND

    def _tidy(self) -> None:
        try:
            upkeep.tidy(self._parts)
        except NewsletterError as fault:
            LOG.warning("what is to be forgotten is kept for now: %s", fault)
        except Exception:
            LOG.exception("what is to be forgotten is kept for now: unexpected fault, please report it")
