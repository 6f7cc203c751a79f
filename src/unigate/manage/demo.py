"""Demo: channels to the sandbox, an owner, and a user with money and a key; the same ones each time it is started.

What a person needs to sign in and to call is kept in DATA/demo.json, readable by its owner only.
"""

import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from unigate.access.keys import new_secret
from unigate.access.passwords import new_password
from unigate.base.config_reader import ConfigError, Place, Secret
from unigate.base.live_settings import MailSettings
from unigate.base.money import NANO
from unigate.base.settings import ChannelEntry, Config, KeyEntry, PriceEntry, Url, UserEntry
from unigate.dialects.replicate_models import MODELS
from unigate.manage.apply import apply
from unigate.manage.desk import Desk
from unigate.manage.notification_forms import TargetForm
from unigate.manage.notifications import NotificationForm, set_notifications, show_notifications

_USER, _HOOK = "demo", "/sandbox/hooks/demo"
OWNER_EMAIL = "owner@example.com"
CREDIT = 100 * NANO
_CREDENTIAL = "sk-sandbox"
_OPENAI = (
    *("gpt-*", "chatgpt-*", "o1*", "o3*", "o4*", "text-embedding-*", "omni-moderation-*", "text-moderation-*"),
    *("tts-*", "whisper-1", "dall-e-*"),
)
_CHAT = ("gpt-4o", "gpt-4o-mini")
#: Chats that answer with pictures, as relays name them; no vendor has a price for these.
_DRAWING = ("gpt-4-all", "gpt-4o-image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What is printed at the start of a demo."""

    api_key: str
    email: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.email!r})"


_COHERE = (
    "rerank-v3.5",
    "rerank-v4.0-pro",
    "rerank-v4.0-fast",
    "rerank-english-v3.0",
    "rerank-multilingual-v3.0",
    "embed-v4.0",
    "embed-english-v3.0",
    "embed-multilingual-v3.0",
)
_JINA = (
    "jina-reranker-v2-base-multilingual",
    "jina-reranker-v3",
    "jina-reranker-m0",
    "jina-embeddings-v3",
    "jina-embeddings-v4",
)
_GROQ = ("llama-3.1-8b-instant", "llama-3.3-70b-versatile", "whisper-large-v3", "whisper-large-v3-turbo")
_LUMA = ("ray-2", "ray-flash-2", "ray-1-6", "photon-1", "photon-flash-1")
_VOYAGE = ("rerank-2.5", "rerank-2.5-lite", "voyage-3.5", "voyage-3.5-lite")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Face:
    """A vendor of the sandbox: its path there, and the channel that leads to it."""

    name: str
    provider: str
    path: str
    #: Public name -> the vendor's.
    models: dict[str, str]
    priority: int = 0
    options: dict[str, object] | None = None


_FACES = (
    _Face(
        name="sandbox-openai", provider="openai", path="/openai/v1", models={name: name for name in _OPENAI + _DRAWING}
    ),
    _Face(
        name="sandbox-azure",
        provider="azure_openai",
        path="/azure",
        models={name: name for name in _CHAT},
        priority=-1,
        options={"api_version": "2024-10-21"},
    ),
    _Face(
        name="sandbox-deepseek",
        provider="deepseek",
        path="/deepseek",
        models={name: name for name in ("deepseek-chat", "deepseek-reasoner")},
        priority=1,
    ),
    _Face(
        name="sandbox-groq",
        provider="groq",
        path="/groq/openai/v1",
        models={name: name for name in _GROQ},
        priority=1,
    ),
    _Face(
        name="sandbox-cerebras",
        provider="cerebras",
        path="/cerebras/v1",
        models={"gpt-oss-120b": "gpt-oss-120b"},
        priority=1,
    ),
    _Face(name="sandbox-cohere", provider="cohere", path="/cohere", models={name: name for name in _COHERE}),
    _Face(name="sandbox-jina", provider="jina", path="/jina/v1", models={name: name for name in _JINA}),
    _Face(name="sandbox-voyage", provider="voyage", path="/voyage/v1", models={name: name for name in _VOYAGE}),
    _Face(
        name="sandbox-midjourney", provider="midjourney_proxy", path="/midjourney", models={"midjourney": "midjourney"}
    ),
    _Face(name="sandbox-suno", provider="suno_relay", path="/suno", models={"suno": "suno"}),
    _Face(
        name="sandbox-luma",
        provider="luma",
        path="/luma/dream-machine/v1",
        models={name: name for name in _LUMA},
    ),
    _Face(
        name="sandbox-udio",
        provider="udio_relay",
        path="/udio",
        models={name: name for name in ("udio32-v1.5", "udio130-v1.5")},
    ),
    _Face(name="sandbox-replicate", provider="replicate", path="/replicate/v1", models={name: name for name in MODELS}),
)


def login(data: Path) -> Login:
    """The demo's login and key: those of an earlier start, or new ones that are kept from now on. ConfigError."""
    path = data / "demo.json"
    try:
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=Login)
        made = Login(api_key=new_secret(), email=OWNER_EMAIL, password=new_password())
        draft = data / f".demo-{secrets.token_hex(8)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(msgspec.json.encode(made))
        draft.replace(path)
    except OSError as error:
        raise ConfigError(Place(str(path)), f"cannot be used: {error.strerror}") from None
    except msgspec.DecodeError:
        raise ConfigError(Place(str(path)), "is damaged; remove it to have a new login made") from None
    return made


async def prepare(desk: Desk, data: Path, sandbox_url: str, mail_port: int) -> Login:
    """Make the demo's channels, owner, user and key, or point the existing ones at the sandbox's address."""
    found = login(data)
    await apply(desk, demo_config(desk, found, sandbox_url, mail_port), owner="demo")
    await _tell_sandbox(desk, sandbox_url.rstrip("/") + _HOOK)
    return found


async def _tell_sandbox(desk: Desk, url: str) -> None:
    """Let the sandbox's receiver hear of what the demo's user is told, beside their mails."""
    view = await show_notifications(desk, _USER)
    forms = tuple(TargetForm(id=one.id, kind=one.kind) for one in view.targets)
    if view.targets and all(one.id is None for one in view.targets):  # nobody has chosen yet
        forms = (TargetForm(kind="webhook", url=url), TargetForm(kind="email"))
    else:
        moved = [(one.url or "").endswith(_HOOK) and one.url != url for one in view.targets]
        forms = tuple(replace(form, url=url) if to else form for form, to in zip(forms, moved, strict=True))
        if not any(moved):
            return
    await set_notifications(desk, _USER, NotificationForm(targets=forms))


def demo_config(desk: Desk, found: Login, sandbox_url: str, mail_port: int) -> Config:
    """The demo as a config file would name it; faces whose provider is not installed are left out."""
    root = sandbox_url.rstrip("/")
    mail = MailSettings(host="127.0.0.1", port=mail_port, tls=False, from_address="no-reply@example.com")
    return Config(
        channels=[_channel(face, root) for face in _FACES if face.provider in desk.providers],
        users=[
            UserEntry(name="owner", email=found.email, password=Secret(found.password), role="owner"),
            UserEntry(name=_USER, email="demo@example.com", credit=CREDIT),
        ],
        keys=[KeyEntry(name="demo", user=_USER, secret=Secret(found.api_key), scopes=["relay", "platform"])],
        prices=[PriceEntry(model=name, per_image=NANO // 25) for name in _DRAWING],
        # Callbacks may go to the sandbox, which lies where the demo does.
        settings={"notify": {"allow_private_targets": True}, "mail": mail},
    )


def _channel(face: _Face, root: str) -> ChannelEntry:
    return ChannelEntry(
        name=face.name,
        provider=face.provider,
        base_url=Url(root + face.path),
        credentials=[Secret(_CREDENTIAL)],
        models=face.models,
        priority=face.priority,
        options=face.options or {},
    )
