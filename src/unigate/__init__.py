"""unigate: one address and one key in front of every AI vendor."""

__version__ = "0.1.0"
