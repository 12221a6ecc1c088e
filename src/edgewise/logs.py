"""Logs as one JSON object a line, on standard error."""

import json
import logging
import sys
import time
from typing import Any

LOGGER = "edgewise.serve"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Write a record as JSON."""
        told: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        told |= getattr(record, "told", {})
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def start_logs() -> None:
    """Let this server's messages, and those of uvicorn, go to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    for name, level in ((LOGGER, logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def log(message: str, *, level: int = logging.INFO, exc_info: bool = False, **told: Any) -> None:
    """Write a line: what happened, and what belongs to it."""
    logging.getLogger(LOGGER).log(level, message, extra={"told": told}, exc_info=exc_info)
