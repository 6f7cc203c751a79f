"""Usage: what a call consumed, in units that do not overlap."""

from dataclasses import dataclass, field

#: Units of a call, each with the unit whose rate it falls back to when a price has none of its own.
FALLBACK: dict[str, str | None] = {
    "input": None,
    "cached_input": "input",
    "cache_write": "input",
    "audio_input": "input",
    "cached_audio_input": "audio_input",
    "image_input": "input",
    "cached_image_input": "image_input",
    "output": None,
    "reasoning": "output",
    "audio_output": "output",
    "image_output": "output",
    "call": None,
    "characters": None,
    "images": None,
    "milliseconds": None,
    "searches": None,
    "videos": None,
}
INPUT_UNITS = frozenset(
    {"input", "cached_input", "cache_write", "audio_input", "cached_audio_input", "image_input", "cached_image_input"}
)
OUTPUT_UNITS = frozenset({"output", "reasoning", "audio_output", "image_output"})
#: A provider's figure counts only as an integer in 0..MAX_COUNT, else it is "not reported".
MAX_COUNT = 1 << 40


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts by unit, disjoint: `input` excludes what stands in `cached_input`, `output` what stands in `reasoning`."""

    units: dict[str, int] = field(default_factory=dict)
    #: True where the provider did not tell and we counted ourselves.
    estimated: bool = False

    @property
    def input_tokens(self) -> int:
        """All input units together: what a vendor calls prompt tokens."""
        return sum(n for unit, n in self.units.items() if unit in INPUT_UNITS)

    @property
    def output_tokens(self) -> int:
        """All output units together: what a vendor calls completion tokens."""
        return sum(n for unit, n in self.units.items() if unit in OUTPUT_UNITS)

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens
