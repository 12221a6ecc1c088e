"""From a fitted model to an answer for people: fallback, titles, reasons. The command line and the service share it."""

from edgewise.pipeline.answer import Answer, Item, answer, answer_newcomer

__all__ = ["Answer", "Item", "answer", "answer_newcomer"]
