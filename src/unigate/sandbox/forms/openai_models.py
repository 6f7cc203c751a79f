"""The models that OpenAI's face (and those of resellers of the same models) offers. Read 2026-05."""

from dataclasses import replace

from unigate.sandbox.forms.models import Model, Models

_LARGE = Model(name="", context=1_047_576, output=32_768)
_GPT5 = Model(name="", context=400_000, output=128_000, reasoning=True, tiles=(70, 140))
_TEXT = Model(name="", kind="text", context=16_385, output=16_384, sees=False)
_VECTORS = Model(name="", kind="vectors", context=8192, dimensions=1536, shortens=True, sees=False)
_SPEECH = Model(name="", kind="speech", context=2000, sees=False)
_HEARING = Model(name="", kind="hearing", context=16_000, output=2000, sees=False, hears=True)
_HARM = Model(name="", kind="harm", context=32_768, sees=False)
_TALK = Model(name="", kind="realtime", context=32_000, output=4096, hears=True)
_IMAGES = Model(name="", kind="images", context=32_000, sees=False)
_O = Model(name="", context=200_000, output=100_000, reasoning=True, tiles=(75, 150))

MODELS = Models(
    (
        Model(name="gpt-4o", snapshot="gpt-4o-2024-08-06", created=1715367049),
        Model(name="gpt-4o-mini", snapshot="gpt-4o-mini-2024-07-18", created=1721172741, tiles=(2833, 5667)),
        Model(name="gpt-4o-audio-preview", snapshot="gpt-4o-audio-preview-2025-06-03", sees=False, hears=True),
        Model(
            name="gpt-4o-mini-audio-preview", snapshot="gpt-4o-mini-audio-preview-2024-12-17", sees=False, hears=True
        ),
        Model(name="gpt-audio", snapshot="gpt-audio-2025-08-28", created=1756339249, sees=False, hears=True),
        Model(name="gpt-4o-search-preview", snapshot="gpt-4o-search-preview-2025-03-11", searches=True),
        Model(name="gpt-4o-mini-search-preview", snapshot="gpt-4o-mini-search-preview-2025-03-11", searches=True),
        Model(name="chatgpt-4o-latest", created=1723515131),
        Model(name="gpt-4.5-preview", snapshot="gpt-4.5-preview-2025-02-27"),
        replace(_LARGE, name="gpt-4.1", snapshot="gpt-4.1-2025-04-14", created=1744316542),
        replace(_LARGE, name="gpt-4.1-mini", snapshot="gpt-4.1-mini-2025-04-14", created=1744318173, patches=162),
        replace(_LARGE, name="gpt-4.1-nano", snapshot="gpt-4.1-nano-2025-04-14", created=1744321707, patches=246),
        Model(name="gpt-4-turbo", snapshot="gpt-4-turbo-2024-04-09", created=1712361441, output=4096),
        Model(name="gpt-4", snapshot="gpt-4-0613", created=1687882411, context=8192, output=8192, sees=False),
        Model(
            name="gpt-3.5-turbo",
            snapshot="gpt-3.5-turbo-0125",
            created=1677610602,
            context=16_385,
            output=4096,
            sees=False,
        ),
        Model(name="o1-mini", snapshot="o1-mini-2024-09-12", reasoning=True, output=65_536, system=False, sees=False),
        replace(_O, name="o1", snapshot="o1-2024-12-17", created=1734375816),
        replace(_O, name="o3-mini", snapshot="o3-mini-2025-01-31", created=1737146383, sees=False),
        replace(_O, name="o3", snapshot="o3-2025-04-16", created=1744225308),
        replace(_O, name="o4-mini", snapshot="o4-mini-2025-04-16", created=1744225351, patches=172),
        replace(_GPT5, name="gpt-5-chat-latest", reasoning=False, output=16_384),
        replace(_GPT5, name="gpt-5", snapshot="gpt-5-2025-08-07", created=1754425777),
        replace(_GPT5, name="gpt-5-mini", snapshot="gpt-5-mini-2025-08-07", created=1754425928, patches=162),
        replace(_GPT5, name="gpt-5-nano", snapshot="gpt-5-nano-2025-08-07", created=1754426384, patches=246),
        replace(_TEXT, name="gpt-3.5-turbo-instruct", created=1692901427, context=4097, output=4096, infills=True),
        replace(_TEXT, name="davinci-002", created=1692634301),
        replace(_TEXT, name="babbage-002", created=1692634615),
        replace(_VECTORS, name="text-embedding-3-small", created=1705948997),
        replace(_VECTORS, name="text-embedding-3-large", created=1705953180, dimensions=3072),
        replace(_VECTORS, name="text-embedding-ada-002", created=1671217299, shortens=False),
        replace(_TALK, name="gpt-realtime", snapshot="gpt-realtime-2025-08-28", created=1756310470),
        replace(_TALK, name="gpt-realtime-mini", snapshot="gpt-realtime-mini-2025-10-06", created=1759708800),
        replace(_TALK, name="gpt-4o-realtime-preview", snapshot="gpt-4o-realtime-preview-2025-06-03"),
        replace(_TALK, name="gpt-4o-mini-realtime-preview", snapshot="gpt-4o-mini-realtime-preview-2024-12-17"),
        replace(_SPEECH, name="tts-1", created=1681940951),
        replace(_SPEECH, name="tts-1-hd", created=1699046015),
        replace(_SPEECH, name="gpt-4o-mini-tts", created=1742403959),
        replace(_HEARING, name="whisper-1", created=1677532384),
        replace(_HEARING, name="gpt-transcribe"),
        replace(_HEARING, name="gpt-4o-transcribe", created=1742068463),
        replace(_HEARING, name="gpt-4o-mini-transcribe", created=1742068596),
        replace(_HEARING, name="gpt-4o-transcribe-diarize", created=1750798887),
        Model(name="gpt-4-all"),
        Model(name="gpt-4o-image"),
        *(
            replace(_IMAGES, name=name)
            for name in ("dall-e-2", "dall-e-3", "gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "gpt-image-2")
        ),
        replace(_IMAGES, name="chatgpt-image-latest"),
        replace(_HARM, name="omni-moderation-latest", created=1731689265, sees=True),
        replace(_HARM, name="omni-moderation-2024-09-26", created=1732734466, sees=True),
        replace(_HARM, name="text-moderation-latest", snapshot="text-moderation-007"),
        replace(_HARM, name="text-moderation-stable", snapshot="text-moderation-007"),
    ),
    others=(
        (r"gpt-5\.\d+(-[a-z]+)*|gpt-5-(pro|codex)", "gpt-5"),
        (r"gpt-4o-(2024|latest).*", "gpt-4o"),
        (r"gpt-4-(32k|vision-preview|1106-preview|0125-preview|turbo-preview)", "gpt-4-turbo"),
        (r"gpt-3\.5-turbo-(16k|1106)", "gpt-3.5-turbo"),
        (r"gpt-realtime-\d(\.\d)?", "gpt-realtime"),
        (r"gpt-audio-mini", "gpt-audio"),
        (r"o1-preview", "o1-mini"),
        (r"o3-pro|o1-pro", "o3"),
    ),
)
