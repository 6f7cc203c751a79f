"""Estimated tokens against counts that vendors reported for the same text, less the one that ends an answer."""

import pytest

from unigate.dialects import estimate

KNOWN = [
    ("The capital of France is Paris.", 7),
    ("2 + 2 = 4.", 8),
    ("Hello! How can I assist you today?", 9),
]


@pytest.mark.parametrize(("text", "tokens"), KNOWN)
def test_short_answers_are_near(text: str, tokens: int) -> None:
    assert abs(estimate.text_tokens(text) - tokens) <= 2


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("word", 1, 1),
        ("internationalisation", 2, 5),
        ("1234567890", 4, 4),
        ('{"city":"Lima","n":[1,2]}', 8, 16),
        ("def f(x):\n    return x + 1\n", 9, 16),
        ("你好世界,今天天气很好", 6, 12),
        ("東京は晴れです。", 5, 9),
        ("안녕하세요 세계", 3, 7),
        ("Привет, как дела?", 4, 9),
        ("مرحبا بالعالم", 3, 7),
        ("नमस्ते दुनिया", 4, 8),
        ("😀😀😀", 3, 9),
        ("Größe und Änderung", 4, 8),
    ],
)
def test_every_script_has_a_rate(text: str, least: int, most: int) -> None:
    assert least <= estimate.text_tokens(text) <= most


def test_longer_text_has_more_tokens_and_never_more_than_bytes() -> None:
    for unit in ("word ", "字", "слово ", "x+y;\n", "😀", "a1"):
        counts = [estimate.text_tokens(unit * times) for times in (1, 10, 100)]
        assert counts == sorted(counts)
        assert 0 < counts[-1] <= len((unit * 100).encode())


def test_a_piece_of_a_stream_is_at_least_one() -> None:
    for piece in (" the", "a", " ", "\n", ".", "字", "é", '{"', " internationalisation", "12"):
        assert estimate.piece_tokens(piece) >= 1
    assert estimate.piece_tokens(" river") == 1


def test_input_counts_messages_tools_and_pictures() -> None:
    plain = estimate.input_tokens(b'{"messages":[{"role":"user","content":"Hello there"}]}')
    assert 7 <= plain <= 13
    parts = estimate.input_tokens(b'{"messages":[{"role":"user","content":[{"type":"text","text":"Hello there"}]}]}')
    assert parts == plain
    tools = (
        b'{"messages":[{"role":"user","content":"Hello there"}],"tools":[{"type":"function","function":{"name":"f"}}]}'
    )
    assert estimate.input_tokens(tools) > plain + estimate.PER_TOOLS
    pictures = (
        b'{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://e.org/x.png"}}]}]}'
    )
    assert estimate.PER_IMAGE < estimate.input_tokens(pictures) < estimate.PER_IMAGE + 20
    assert estimate.input_tokens(b"x" * 30) == 10
