"""A model of Replicate as we know it: its input and output, and what it is paid by. The models stand in `replicate_models`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from unigate.dialects.replicate_fields import Field, count_of

#: What it is paid by.
Unit = Literal["images", "videos", "milliseconds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One model."""

    #: `owner/name`.
    name: str
    about: str
    #: The version that is sent, 64 hexadecimal digits; "": it is called by its name.
    version: str
    fields: Mapping[str, Field]
    #: Its output is a list of addresses, not one address.
    lists: bool = False
    makes: Literal["image", "video"] = "image"
    unit: Unit = "images"
    #: Of the unit: what a prediction takes at most by our knowledge.
    hold: int = 1
    #: When the version was made, as the vendor tells times.
    created_at: str = "2024-01-01T00:00:00.000000Z"

    @property
    def owner(self) -> str:
        """Who offers it."""
        return self.name.partition("/")[0]

    def units(self, given: Mapping[str, object]) -> dict[str, int]:
        """What a prediction with this input consumes at most, by unit."""
        asked = count_of(given.get("num_outputs"))
        if self.unit == "images" and self.lists and asked:
            return {"images": asked}
        return {self.unit: self.hold}

    def output_schema(self) -> dict[str, object]:
        """Its output, as a version's schema tells it."""
        uri: dict[str, object] = {"type": "string", "format": "uri"}
        if not self.lists:
            return {"title": "Output", **uri}
        # Of the animation's list each address comes when it is there.
        grows = {"x-cog-array-type": "iterator"} if self.makes == "video" else {}
        return {"title": "Output", "type": "array", "items": uri, **grows}


def named(**fields: Field) -> dict[str, Field]:
    """Fields by name."""
    return fields


def community(
    name: str,
    version: str,
    about: str,
    seconds: int,
    fields: dict[str, Field],
    *,
    lists: bool = True,
    video: bool = False,
) -> Known:
    """A model that is named by its version and paid by the second."""
    makes: Literal["image", "video"] = "video" if video else "image"
    return Known(
        name=name,
        about=about,
        version=version,
        fields=fields,
        lists=lists,
        makes=makes,
        unit="milliseconds",
        hold=seconds * 1000,
    )


def official(name: str, about: str, fields: dict[str, Field], *, lists: bool = False, video: bool = False) -> Known:
    """A model that is called by its name and paid by what it makes."""
    if video:
        return Known(name=name, about=about, version="", fields=fields, makes="video", unit="videos")
    return Known(name=name, about=about, version="", fields=fields, lists=lists)
