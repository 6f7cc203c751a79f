"""Writes a string that matches a regular expression of the usual kind (literals, classes, groups, choices, repeats)."""

import re
import string

from unigate.sandbox.brain.seeds import Dice

_CLASSES = {"d": string.digits, "w": string.ascii_lowercase, "s": " ", "D": "x", "W": "-", "S": "x"}
#: Nothing is repeated more often.
_MOST = 1000
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")


class _Writer:
    """A recursive descent over the pattern that writes while it reads."""

    def __init__(self, pattern: str, source: Dice) -> None:
        self._text = pattern
        self._at = 0
        self._dice = source

    def choice(self) -> str:
        """Alternative | alternative ..."""
        options = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            options.append(self._sequence())
        return self._dice.choice(options)

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _sequence(self) -> str:
        written = []
        while self._peek() not in ("", "|", ")"):
            start = self._at
            first = self._atom()
            least, most = self._repeat()
            end = self._at
            times = self._dice.randint(least, most)
            parts = [first] if times else []
            for _ in range(times - 1):
                self._at = start
                parts.append(self._atom())
            self._at = end
            written += parts
        return "".join(written)

    def _repeat(self) -> tuple[int, int]:
        sign = self._peek()
        if sign and sign in "?*+":
            least, most = {"?": (0, 1), "*": (0, 3), "+": (1, 4)}[sign]
            self._at += 1
        elif found := _REPEAT.match(self._text, self._at):
            least = int(found[1])
            most = least if found[2] is None else int(found[3]) if found[3] else least + 3
            self._at = found.end()
        else:
            return 1, 1
        if self._peek() in ("?", "+"):
            self._at += 1
        if least > _MOST:
            raise ValueError("too many repeats")
        return least, min(most, _MOST)

    def _atom(self) -> str:
        sign = self._peek()
        self._at += 1
        if sign in "^$":
            return ""
        if sign == ".":
            return "x"
        if sign == "[":
            return self._dice.choice(self._class())
        if sign == "(":
            if self._text.startswith("?", self._at):
                self._at += 2 if self._text.startswith("?:", self._at) else self._skip_name()
            written = self.choice()
            self._at += 1
            return written
        return self._dice.choice(self._escape()) if sign == "\\" else sign

    def _skip_name(self) -> int:
        end = self._text.find(">", self._at)
        if not self._text.startswith(("?P<", "?<"), self._at) or end < 0:
            raise ValueError("this kind of group is not understood")
        return end + 1 - self._at

    def _escape(self) -> str:
        sign = self._peek()
        self._at += 1
        if sign in ("b", "B", "A", "Z"):
            return "\0"  # an anchor writes nothing: taken out at the end
        return _CLASSES.get(sign) or {"n": "\n", "t": "\t", "r": "\r"}.get(sign, sign)

    def _class(self) -> str:
        negated = self._peek() == "^"
        self._at += negated
        members = ""
        while self._peek() != "]" or not members:
            if not self._peek():
                raise ValueError("a class has no end")
            sign = self._peek()
            self._at += 1
            low = self._escape() if sign == "\\" else sign
            if len(low) == 1 and self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                high = self._text[self._at + 1]
                self._at += 2
                members += "".join(map(chr, range(ord(low), min(ord(high), ord(low) + 200) + 1)))
            else:
                members += low
        self._at += 1
        if not negated:
            return members
        return "".join(sign for sign in string.ascii_letters + string.digits + " -_" if sign not in members) or "~"


def matching(pattern: str, source: Dice) -> str | None:
    """A string that matches, None where the pattern is beyond us."""
    try:
        compiled = re.compile(pattern)
        for _ in range(20):
            text = _Writer(pattern, source).choice().replace("\0", "")
            if compiled.search(text):
                return text
    except (re.error, ValueError, IndexError, RecursionError):
        return None
    return None
