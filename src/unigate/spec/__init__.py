"""The nouns that rooms share. Pure values and protocols; no I/O and no decisions."""
