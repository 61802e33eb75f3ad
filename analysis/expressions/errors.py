"""The one error of the condition language.

Owns how an error is shown: the sentence, where it is, and the line with a caret. Must not: know why it was raised.
"""

from __future__ import annotations


class ExpressionError(Exception):
    """An expression cannot be compiled, or its evaluation failed.

    `message` is the bare sentence, as upstream writes it into a measurement; `str()` adds line, column and a caret when known.
    """

    def __init__(self, message: str, *, position: int | None = None, text: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.text = text

    def at(self, position: int, text: str | None = None) -> ExpressionError:
        """Place the error, unless an inner part has done so already. Returns itself."""
        if self.position is None:
            self.position = position
        if self.text is None:
            self.text = text
        return self

    def __str__(self) -> str:
        if self.position is None or self.text is None:
            return self.message
        before = self.text[: self.position]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)
        source = self.text.split("\n")[line - 1]
        return f"{self.message} ({line}:{column + 1})\n | {source}\n | {'.' * column}^"
