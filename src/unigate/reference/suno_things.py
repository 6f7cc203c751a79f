"""Suno's relays: uploads in five steps, personas, and what there is of a clip."""

from collections.abc import Mapping

from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import ANYTHING, Schema, flag, many, mapping, maybe, number, record, text
from unigate.reference.suno_schemas import CLIP_ID, SCHEMAS, SHOWN_CLIP

_ID = "9f2c7c5e-2d0b-4a55-9b1e-0b6a3a9d3a11"
_ENVELOPE: Mapping[str, Schema] = {"code": text(), "message": text(), "data": mapping(ANYTHING, "The same once more.")}
_PRICE = " Costs what the operator has set for it, by default nothing; nothing while it is being made."
_ADDRESS = text("An address of the vendor's, which ends.")


def _of_clip(name: str, title: str, about: str, answer: Mapping[str, Schema], shown: Mapping[str, object]) -> Entry:
    return Entry(
        operation=f"suno.act.{name}",
        title=title,
        about=about + _PRICE,
        answer=record({**answer, **_ENVELOPE}),
        shown={**shown, "code": "success", "message": "", "data": shown},
        examples=(Example(title=title, path={"id": CLIP_ID}),),
        places={"id": text("The clip's id.", least=1)},
    )


def _of_upload(
    name: str,
    title: str,
    about: str,
    answer: Schema,
    shown: Mapping[str, object],
    *,
    request: Schema | None = None,
    body: Mapping[str, object] | None = None,
    one: bool = True,
) -> Entry:
    place = {"id": _ID} if one else {}
    return Entry(
        operation=f"suno.uploads.{name}",
        title=title,
        about=about,
        request=request,
        answer=answer,
        shown=shown,
        examples=(Example(title=title, body=body, path=place),),
        places={"id": text("The upload's id.", least=1)} if one else {},
    )


PAGE = Page(
    title="Suno: uploads and clips",
    about="What is asked of the account that has an upload, a clip or a persona. An id of somebody else's is as unknown as one that "
    "never was.",
    entries=(
        _of_upload(
            "create",
            "Upload 1: get an address",
            "Step 2 is a POST of multipart/form-data to `url`: all `fields` first, the file as `file` last, without a key.",
            record(
                {"id": text(), "url": _ADDRESS, "fields": mapping(text()), "is_file_uploaded": flag()},
                needs=("id", "url", "fields"),
            ),
            {
                "id": _ID,
                "url": "https://suno-uploads.example.com/",
                "fields": {"key": f"raw_uploads/{_ID}.mp3", "policy": "eyJ"},
                "is_file_uploaded": False,
            },
            request=record(
                {"extension": text("The kind of file: `mp3`, `wav`, `m4a`, `flac`, `ogg`, ...", least=1)},
                needs=("extension",),
            ),
            body={"extension": "mp3"},
            one=False,
        ),
        _of_upload(
            "finish",
            "Upload 3: report that the file is there",
            "From then on it is looked at.",
            mapping(ANYTHING),
            {},
            request=record({"upload_type": maybe(text("`file_upload`.")), "upload_filename": maybe(text())}),
            body={"upload_type": "file_upload", "upload_filename": "tune.mp3"},
        ),
        _of_upload(
            "get",
            "Upload 4: ask where it stands",
            "Every two or three seconds, until `complete` or `error`.",
            record(
                {"id": text(), "status": text(), "error_message": maybe(text()), "s3_id": maybe(text())},
                needs=("status",),
            ),
            {"id": _ID, "status": "complete", "error_message": None, "s3_id": f"m_{CLIP_ID}", "title": "tune"},
        ),
        _of_upload(
            "initialize",
            "Upload 5: get its clip",
            "The clip may be covered or gone on from.",
            record({"clip_id": text()}, needs=("clip_id",)),
            {"clip_id": CLIP_ID},
            request=mapping(ANYTHING),
            body={},
        ),
        Entry(
            operation="suno.persona",
            title="Make a singer of a clip",
            about="Sing with it by `task` `artist_consistency`." + _PRICE,
            request=record(
                {
                    "root_clip_id": text("A clip of yours that was made here.", least=1),
                    "name": text(least=1),
                    "description": maybe(text()),
                    "clips": maybe(many(text())),
                    "is_public": maybe(flag()),
                },
                needs=("root_clip_id", "name"),
            ),
            answer=record({"id": text("The persona's id."), "name": text(), **_ENVELOPE}, needs=("id", "data")),
            shown={
                "id": _ID,
                "name": "Ada",
                "root_clip_id": CLIP_ID,
                "clip": SHOWN_CLIP,
                "code": "success",
                "message": "",
                "data": {"id": _ID},
            },
            examples=(Example(title="A singer", body={"root_clip_id": CLIP_ID, "name": "Ada", "clips": [CLIP_ID]}),),
        ),
        _of_clip(
            "timing",
            "When each word is sung",
            "Words with their seconds.",
            {"aligned_words": many(mapping(ANYTHING)), "waveform_data": many(number())},
            {"aligned_words": [{"word": "Walking ", "success": True, "start_s": 0.5, "end_s": 1.2, "p_align": 0.98}]},
        ),
        _of_clip(
            "wav",
            "The clip as wav",
            "Ask again while `wav_file_url` is empty.",
            {"wav_file_url": _ADDRESS},
            {"wav_file_url": "https://cdn.example.com/clip.wav"},
        ),
        _of_clip(
            "mp4",
            "The clip as a film",
            "Its cover with the sound.",
            {"video_url": _ADDRESS, "mp4_file_url": _ADDRESS, "mp4": _ADDRESS},
            dict.fromkeys(("video_url", "mp4_file_url", "mp4"), "https://cdn.example.com/clip.mp4"),
        ),
        _of_clip(
            "midi",
            "The notes of a clip",
            "Ask again while `state` is `running`.",
            {"state": text(), "instruments": many(mapping(ANYTHING))},
            {"state": "complete", "instruments": [{"name": "Lead", "notes": []}]},
        ),
        _of_clip(
            "stems",
            "The tracks of a clip, the former way",
            "Two clips; the new way is `task` `gen_stem`.",
            {"status": text(), "clips": many(mapping(ANYTHING))},
            {"status": "complete", "clips": [SHOWN_CLIP]},
        ),
        Entry(
            operation="suno.act.vox",
            title="What is sung in a stretch of a clip",
            about="The vendor's id of the voice from one moment to another." + _PRICE,
            request=record(
                {
                    "vocal_start_s": number("Seconds from the clip's beginning.", low=0),
                    "vocal_end_s": number("Where it ends, behind its beginning.", low=0),
                },
                needs=("vocal_start_s", "vocal_end_s"),
            ),
            answer=record({"id": text(), **_ENVELOPE}, needs=("id",)),
            shown={"id": _ID, "code": "success", "message": "", "data": {"id": _ID}},
            examples=(Example(title="A voice", path={"id": CLIP_ID}, body={"vocal_start_s": 18, "vocal_end_s": 30}),),
            places={"id": text("The clip's id.", least=1)},
        ),
        Entry(
            operation="suno.act.tags",
            title="Styles in more words",
            about="A longer list of styles." + _PRICE,
            request=record({"original_tags": text(least=1)}, needs=("original_tags",)),
            answer=record({"upsampled_tags": text(), **_ENVELOPE}, needs=("upsampled_tags",)),
            shown={"upsampled_tags": "student, laid-back indie pop", "code": "success", "message": "", "data": {}},
            examples=(Example(title="Styles", body={"original_tags": "student"}),),
        ),
    ),
    schemas={"SunoError": SCHEMAS["SunoError"]},
    error="SunoError",
    refusal="SunoError",
)
