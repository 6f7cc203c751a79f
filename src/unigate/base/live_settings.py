"""Settings that can change while the gateway runs: kept in the database, set by file, console or shell.

What a process needs before it can reach the database stands in `settings.py`.
"""

from typing import Annotated, Any, Literal

import msgspec

from unigate.base.config_reader import Text
from unigate.base.money import format_usd, parse_usd

_State = Literal["live", "deprecated", "off"]
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Seconds = Annotated[float, msgspec.Meta(ge=0.001, le=86_400)]
_Pause = Annotated[float, msgspec.Meta(ge=0, le=604_800)]
_Word = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
#: An address of http or https without a query, or nothing.
_Address = Annotated[str, msgspec.Meta(pattern=r"^(https?://[^\s?#]+)?$")]
#: Decimal USD as text.
_Usd = Annotated[
    str,
    Text(lambda text: format_usd(parse_usd(text)), "an amount of USD"),
    msgspec.Meta(pattern=r"^(1000000|[0-9]{1,6}(\.[0-9]{1,9})?)$"),
]
_Host = Annotated[str, msgspec.Meta(pattern=r"^[^\s/@]*(?![\s\S])", max_length=255)]
_Mailbox = Annotated[str, msgspec.Meta(pattern=r"^([^\s@<>]+@[^\s@<>]+)?(?![\s\S])", max_length=320)]
#: Without what ends a line, for anybody: no mail can be written with that in a header.
_Line = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*(?![\s\S])", max_length=200)]
#: What is refused until an operator says otherwise.
BANNED_WORDS = (
    "bestiality", "child porn", "childporn", "cp porn", "erotic", "explicit nudity", "fellatio", "gore", "hentai",
    "incest", "lolicon", "masturbation", "molest", "naked", "nsfw", "nude", "nudes", "nudity", "orgasm", "orgy",
    "pedophile", "pedophilia", "penis", "porn", "porno", "pornographic", "pornography", "rape", "sexual intercourse",
    "shotacon", "snuff film", "topless", "vagina", "xxx",
)  # fmt: skip


class HoldSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much is set aside for a call before it is known what it costs."""

    #: Output tokens of one answer that are held at first; a stream that goes on is held for in steps of it.
    output_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 4096


class RelaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one call."""

    #: Largest body of a caller, and largest whole answer of a provider, in bytes.
    body_bytes: _Count = 20 * 1024 * 1024
    answer_bytes: _Count = 64 * 1024 * 1024
    #: Tries at channels for one call.
    attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 6
    #: Seconds that one call waits between tries, all together.
    backoff_seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 10.0


class RealtimeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one realtime session."""

    #: Bytes of one event, in either direction.
    event_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 28)] = 24 * 1024 * 1024
    #: Seconds without an event in either direction, and in all, after which a session ends.
    idle_seconds: _Seconds = 900.0
    session_seconds: _Seconds = 3600.0
    #: Groups whose callers may connect to providers directly (WebRTC), past us and so without being charged: they are
    #: given the provider's own secrets in place of ours.
    direct_groups: tuple[str, ...] = ()


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """By which server mails are sent; none are without a host."""

    host: _Host = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 465
    #: The connection is encrypted from its beginning on; or, with `starttls`, before anything is said.
    tls: bool = True
    starttls: bool = False
    #: A file of certificates to trust in place of the system's.
    ca_file: _Line = ""
    from_name: _Line = "unigate"
    from_address: _Mailbox = ""
    username: _Line = ""
    #: Sealed where it is kept.
    password: Annotated[str, msgspec.Meta(max_length=2000)] = ""

    def __repr__(self) -> str:
        return f"MailSettings({self.host!r}, {self.port})"

    @property
    def usable(self) -> bool:
        """Whether mails can be sent at all."""
        return bool(self.host and self.from_address)


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How callers are told of their tasks, and accounts of what concerns them."""

    #: A balance below this is low, for users who have not said otherwise; "0": none is.
    low_balance_usd: _Usd = "1"
    #: Of texts to users who have not said otherwise.
    language: Literal["en", "zh"] = "en"
    #: Where users top up, named in what tells them to; "": `public_url`.
    topup_url: _Address = ""
    #: Of events that may come often a target gets at most so many of one type in so many minutes.
    max_per_type: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    window_minutes: Annotated[float, msgspec.Meta(gt=0, le=1440)] = 10.0

    #: Let callbacks and webhooks lead to private networks, whose answers the delivery log shows.
    allow_private_targets: bool = False
    #: Seconds before each try: of the first after the message was made, of each other after the one before failed.
    tries: Annotated[tuple[_Pause, ...], msgspec.Meta(min_length=1, max_length=20)] = (
        0,
        5,
        30,
        120,
        600,
        3600,
        21600,
        86400,
    )
    #: By which part pauses are longer or shorter, at random.
    jitter: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    #: Seconds of one try.
    seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    #: Seconds for which a node has a message to itself: after them it is taken for dead, and another one sends it.
    lease_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    #: Messages that a worker sends at once, and of them those to one host.
    at_once: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 32
    per_host: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 4
    #: Days after which a webhook is switched off that only failed.
    failing_days: Annotated[float, msgspec.Meta(ge=0, le=365)] = 3.0
    #: Days for which messages and tries are kept.
    kept_days: Annotated[float, msgspec.Meta(gt=0, le=3650)] = 30.0


class AssetSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Files that tasks make: our links to them, and our copies."""

    #: Hours for which a link of ours works.
    link_hours: Annotated[int, msgspec.Meta(ge=1, le=8760)] = 24
    #: Days after which a file is deleted, counted from the end of its task; 0: never.
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=36500)] = 30
    #: Bytes of the largest file that is copied or passed on.
    file_bytes: _Count = 2 * 1024**3
    #: Tries before a file counts as lost; seconds before the second one, four times as many before each further one.
    tries: Annotated[int, msgspec.Meta(ge=1, le=100)] = 8
    retry_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 5.0
    #: Seconds that one copy may take.
    copy_seconds: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 1800.0


class FileQuota(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may have of files; 0: as it is for all."""

    total_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    total_files: Annotated[int, msgspec.Meta(ge=0)] = 0


class FileSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Files that users upload."""

    #: Bytes of the largest file that comes in one call (512 MiB is the most that any call may have), and in parts.
    file_bytes: _Count = 512_000_000
    upload_bytes: _Count = 8 * 1024**3
    #: Bytes and number of all files of a user.
    total_bytes: _Count = 100 * 1024**3
    total_files: _Count = 10_000
    #: Group -> the same for its users.
    groups: dict[str, FileQuota] = msgspec.field(default_factory=dict)
    #: Days for which a link to a file works, at most.
    link_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30

    def quota(self, group: str) -> FileQuota:
        """What a user of a group may have."""
        own = self.groups.get(group, FileQuota())
        return FileQuota(
            total_bytes=own.total_bytes or self.total_bytes, total_files=own.total_files or self.total_files
        )


class TaskSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How tasks are submitted, followed and kept."""

    #: For how long a process that looks after a task is trusted to live.
    lease_seconds: _Seconds = 30.0
    #: Longest time for one submission to a provider; a task that was being sent when its process died is given up, or
    #: asked after, once the lease and this are over.
    send_seconds: _Seconds = 90.0
    #: Factor for the intervals at which providers are asked after tasks.
    poll_scale: Annotated[float, msgspec.Meta(ge=0.001, le=100)] = 1.0
    #: Tasks that may wait at the gateway where all channels are full; a channel's option `queue` goes before it.
    wait_queue: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 100
    #: For how long an `Idempotency-Key` is remembered.
    idempotency_hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 24
    #: A task that its provider does not know for so long has failed.
    vanish_seconds: _Seconds = 60.0
    #: Days for which tasks that ended are kept.
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90


_Millionths = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Batches: files of requests that are worked through beside the calls that somebody waits for."""

    #: Millionths that are taken off the price of a line, and the same for users of a group.
    discount: _Millionths = 0
    groups: dict[str, _Millionths] = msgspec.field(default_factory=dict)
    #: Lines of one batch that are called at once, batches of one user that run at once, and that may be open.
    at_once: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8
    of_user: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    open: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 100
    #: Lines and bytes of a file of requests.
    lines: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 50_000
    file_bytes: _Count = 200_000_000
    #: Seconds after which a batch expires, what the completion window `24h` means.
    window_seconds: _Seconds = 86_400.0
    #: Days for which batches that ended are kept.
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90

    def discount_of(self, group: str) -> int:
        """What is taken off for users of a group, in millionths."""
        return self.groups.get(group, self.discount)


class MidjourneySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How calls of Midjourney are read and answered."""

    #: Ids of tasks as numbers in replies to submissions; a key may say otherwise.
    numeric_ids: bool = False
    #: The speed of calls that ask for none.
    mode: Literal["relax", "fast", "turbo"] = "fast"
    #: Words that a prompt may not have, as whole words, whatever their case.
    banned_words: list[_Word] = msgspec.field(default_factory=lambda: list(BANNED_WORDS))


class LiveSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All of them with their defaults; a field is a row of the table `settings`."""

    #: Credits shown for one USD.
    credits_per_usd: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 500_000
    #: Taken where a call for an image names no model.
    default_image_model: str = "dall-e-2"
    #: Serve calls without a price free of charge in place of refusing them.
    allow_unpriced: bool = False
    hold: HoldSettings = HoldSettings()
    #: Operation or family -> state, where it is not `live`.
    operations: dict[str, _State] = msgspec.field(default_factory=dict)
    relay: RelaySettings = RelaySettings()
    realtime: RealtimeSettings = RealtimeSettings()
    #: The gateway's address from outside (`https://ai.example.com`), for links and for providers that call back; "": links
    #: lead to where the caller reached us, and no provider is asked to call back.
    public_url: _Address = ""
    notify: NotifySettings = NotifySettings()
    mail: MailSettings = MailSettings()
    assets: AssetSettings = AssetSettings()
    files: FileSettings = FileSettings()
    tasks: TaskSettings = TaskSettings()
    midjourney: MidjourneySettings = MidjourneySettings()
    batches: BatchSettings = BatchSettings()

    def state(self, operation: str, family: str) -> _State | None:
        """What an operation was switched to, by itself or with its family; None where nobody said anything."""
        states = self.operations
        return states.get(operation) or states.get(family) if states else None


def live_settings(values: dict[str, Any]) -> LiveSettings:
    """Settings from values by name, defaults for the rest; names that this version does not know are left out."""
    known = {name: value for name, value in values.items() if name in LiveSettings.__struct_fields__}
    return msgspec.convert(known, LiveSettings)
