"""What the agent logs before the server can be told: the choice of the interface, the output of PRE. `sequence.run`
starts to keep it, `sequence.register` hands it to the reporter."""

import logging
from collections import deque

MOST_RECORDS = 2000


class EarlyLog(logging.Handler):
    """Keeps the latest records."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._records: deque[logging.LogRecord] = deque(maxlen=MOST_RECORDS)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record. Called by `logging`."""
        self._records.append(record)

    def hand_over(self, logger: logging.Logger, handler: logging.Handler) -> None:
        """From now on `handler` gets what `logger` says, and first what was kept."""
        logger.removeHandler(self)
        while self._records:
            handler.handle(self._records.popleft())
        logger.addHandler(handler)
