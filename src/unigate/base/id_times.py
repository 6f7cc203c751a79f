"""What an id of ours tells of itself; see `ids.py`, which makes them. Pure."""

#: The letters of ids, in the order of their values.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def made_at(id: str) -> int:
    """When an id was made, in ms since 1970; 0 where it is none of ours."""
    text = id.rpartition("_")[2][:10]
    if len(text) < 10 or not set(text) <= set(ALPHABET):
        return 0
    found = 0
    for letter in text:
        found = found << 5 | ALPHABET.index(letter)
    return found
