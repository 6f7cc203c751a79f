"""Reading the config file and the environment: every mistake is named by file, line and column."""

import json
import stat
from pathlib import Path

import msgspec
import pytest

from unigate.base import settings
from unigate.base.config_reader import ConfigError
from unigate.base.live_settings import LiveSettings, live_settings
from unigate.base.settings import Settings, load, parse_moment, with_server


def read(tmp_path: Path, text: str | bytes, environ: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "gate.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file, data=tmp_path / "data", environ=environ or {})


def refused(tmp_path: Path, text: str | bytes, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, environ)
    return str(caught.value).removeprefix(str(tmp_path / "gate.yaml"))


def test_defaults_without_a_file(tmp_path: Path) -> None:
    found = load(data=tmp_path, environ={"PATH": "/bin", "UNIGATE_DATA": "elsewhere"})
    server = found.server
    assert (server.host, server.port, server.workers, server.allow_private_upstreams) == ("127.0.0.1", 8080, 1, False)
    assert found.database.url == f"sqlite:///{tmp_path}/unigate.db"
    assert (found.redis.url, found.storage.url, found.storage.keep) == (None, "file:///assets", True)
    assert found.config is None


def test_every_section_of_the_contract_is_read(tmp_path: Path) -> None:
    text = """
server:   {host: 0.0.0.0, port: 9000, workers: 4, allow_private_upstreams: true}
database: {url: "sqlite:///data/unigate.db"}
redis:    {url: "redis://127.0.0.1:6379/0"}
storage:  {url: "s3://bucket/prefix", keep: false}
secret:   "$UNIGATE_SECRET"
channels:
  - name: main
    provider: openai
    base_url: http://127.0.0.1:9000/v1
    credentials: [sk-1, {access_key: a, secret_key: b}]
    models: {gpt-4o-mini: gpt-4o-mini, fast: gpt-4o-mini}
    groups: [default]
    priority: 3
    weight: 2
    limits: {concurrency: 64, rpm: 10}
    timeouts: {connect: 5, first_byte: 60, idle: 60, total: 600.5}
    options: {headers: {a: b}, retries: 3, ratio: 0.5, deep: [1, {x: null}], on: true, day: 2026-01-01}
  - {name: list, provider: openai, models: [a, b]}
  - {name: all, provider: openai, models: "*", credentials: sk-alone}
prices:
  - {model: gpt-4o-mini, input: 0.15, cached_input: "0.0375", output: 0.60}
  - {model: tts-1, per_million_characters: 15}
  - {model: whisper-1, per_minute: 0.006}
  - {model: dall-e-3, when: {quality: hd}, per_image: {"1024x1024": 0.08, default: 0.12}}
  - {operation: midjourney.imagine, per_call: {relax: 0.01, fast: 0.03}, from: 2026-01-01}
settings: {credits_per_usd: 1, default_image_model: dall-e-2, allow_unpriced: true, operations: {openai.chat: off}}
groups:   [{name: default, multiplier: 1.25}]
users:    [{name: alice, email: a@example.com, password: "$PW", role: owner, group: default, credit: 100}]
keys:     [{name: app, user: alice, secret: sk-app, models: ["*"], budget: {total: 50}, limits: {rpm: 1, tpm: 2}}]
"""
    found = read(tmp_path, text, {"UNIGATE_SECRET": "from the environment", "PW": "pass word"})
    config = found.config
    assert config is not None
    assert found.secret.reveal() == "from the environment"
    assert (found.server.workers, found.server.host, found.storage.keep) == (4, "0.0.0.0", False)
    main, listed, every = config.channels
    assert main.timeouts.total == 600.5
    assert main.options == {
        "headers": {"a": "b"}, "retries": 3, "ratio": 0.5, "deep": [1, {"x": None}], "on": True, "day": "2026-01-01",
    }  # fmt: skip
    assert (listed.models, every.models) == (["a", "b"], "*")
    assert config.prices[0].input == 150_000_000
    assert config.prices[0].cached_input == 37_500_000
    assert config.prices[3].per_image == {"1024x1024": 80_000_000, "default": 120_000_000}
    assert config.prices[4].starts == parse_moment("2026-01-01T00:00:00Z") == 1_767_225_600_000
    assert config.settings["operations"] == {"openai.chat": "off"}
    assert config.groups[0].multiplier == 1_250_000
    assert config.users[0].credit == 100 * 10**9
    assert config.users[0].password == settings.Secret("pass word")
    assert (config.keys[0].limits.tpm, config.keys[0].budget.total) == (2, 50 * 10**9)


def test_whatever_can_be_set_can_stand_in_the_file(tmp_path: Path) -> None:
    told = {
        **msgspec.to_builtins(LiveSettings()),
        "realtime": {"direct_groups": ["staff", "desk"]},
        "notify": {"tries": [0, 2.5]},
    }
    found = read(tmp_path, f"settings: {json.dumps(told)}")
    assert found.config is not None
    assert live_settings(found.config.settings) == msgspec.convert(told, LiveSettings)
    assert live_settings(found.config.settings).realtime.direct_groups == ("staff", "desk")
    assert refused(tmp_path, "settings: {realtime: {direct_groups: staff}}").endswith(
        "expected a list, not a single value"
    )
    assert refused(tmp_path, "settings: {notify: {tries: []}}").startswith(":1:28: expected ")


def test_a_price_is_never_a_float(tmp_path: Path) -> None:
    # As floats, 0.1 + 0.2 and 1.1 per million would both be off in the last places.
    found = read(tmp_path, "prices: [{model: a, input: 0.300000001, output: 1.100000001}]")
    assert found.config is not None
    assert (found.config.prices[0].input, found.config.prices[0].output) == (300_000_001, 1_100_000_001)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server:\n  port: abc\n", ":2:9: expected a whole number, not 'abc'"),
        ("server: {port: 70000}", ":1:16: expected a whole number <= 65535, not 70000"),
        ("server: {port: 80.5}", ":1:16: expected a whole number, not '80.5'"),
        ("server: {workers: 0}", ":1:19: expected a whole number >= 1, not 0"),
        ("server: {allow_private_upstreams: 1}", ":1:35: expected true or false, not '1'"),
        ("server: {trusted_proxies: 10.0.0.1}", ":1:27: expected a list, not a single value"),
        ("server: [1]", ":1:9: expected a mapping, not a list"),
        ("server: {port: 1, port: 2}", ":1:19: the key 'port' stands here twice"),
        ("channels: {name: a}", ":1:11: expected a list, not a mapping"),
        ("channels: [{name: a}]", ":1:12: missing: provider"),
        ("channels:\n- name: a\n  provider: b\n  timeouts: {connect: -1}", ":4:23: expected a number > 0.0, not -1.0"),
        ("channels: [{name: a, provider: b, models: 7}]", """:1:43: expected a mapping, a list, or "*", not '7'"""),
        ("users: [{name: yes}]", ":1:16: expected a text, not 'yes'"),
        ("users: [{name: a, role: god}]", ":1:25: expected one of user, operator, owner, not 'god'"),
        ("settings: {hold: {output_tokens: 0}}", ":1:34: expected a whole number >= 1, not 0"),
        ("settings: {operations: {a: of}}", ":1:28: expected one of live, deprecated, off, not 'of'"),
        ("keys: [{name: a, user: b, secret: $NOWHERE}]", ":1:35: the environment has no NOWHERE"),
        ("keys: [{name: a, user: b, secret: [x]}]", ":1:35: expected a text, not a list"),
        ("channels: [{name: a, provider: b, options: &x {c: *x}}]", ":1:44: nested too deeply"),
        ("users: [{<<: {name: a}}]", ":1:10: a key is a plain name here"),
        ("a: [", ":1:5: not valid YAML: expected the node content, but found '<stream end>'"),
        ("server:\n\tport: 1", ":2:1: not valid YAML: found character '\\t' that cannot start any token"),
        ("--- {}\n--- {}", ":2:1: not valid YAML: but found another document"),
        ("- a", ":1:1: expected a mapping, not a list"),
        (b"server: {host: \xff}", ":1:1: not valid UTF-8"),
        ("database: {url: mysql://x}", "database.url: expected sqlite:///PATH or postgresql://..., not 'mysql://x'"),
    ],
)
def test_a_mistake_is_named_by_line_and_column(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert refused(tmp_path, text) == message


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("server: {portt: 1}", ":1:10: unknown key 'portt'; known are host, port"),
        ("serverr: {}", ":1:1: unknown key 'serverr'; known are server, "),
        ("settings: {credits: 1}", ":1:12: unknown key 'credits'; known are credits_per_usd, "),
        (
            "prices: [{model: a, inputs: 1}]",
            ":1:21: unknown key 'inputs'; known are model, operation, when, from, input",
        ),
        ("prices: [{model: a, input: 0.0000000001}]", ":1:28: expected an amount of USD, not '0.0000000001': "),
        ("prices: [{model: a, input: -1}]", ":1:28: expected an amount of USD, not '-1': "),
        ("prices: [{model: a, input: .inf}]", ":1:28: expected an amount of USD, not '.inf': "),
        ("prices: [{model: a, input: cheap}]", ":1:28: expected an amount of USD, not 'cheap': "),
        ("prices: [{model: a, per_image: {a: [1]}}]", ":1:36: expected an amount of USD, not a list"),
        ("prices: [{model: a, from: tomorrow}]", ":1:27: expected a date such as 2026-01-01, not 'tomorrow': "),
        ("groups: [{name: a, multiplier: 1001}]", ":1:32: expected a multiplier, not '1001': "),
        ("keys: [{name: a, user: b, secret: s, addresses: [10.0.0.1/8]}]", ":1:50: expected an address or a network"),
        ("settings: {public_url: ai.example.com}", ":1:24: expected a text matching regex"),
        ("settings: {public_url: 'https://a b'}", ":1:24: expected a text matching regex"),
        ("settings: {public_url: 'https://a/?b=1'}", ":1:24: expected a text matching regex"),
    ],
)
def test_a_mistake_tells_what_was_expected(tmp_path: Path, text: str, start: str) -> None:
    assert refused(tmp_path, text).startswith(start)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml", data=tmp_path, environ={})


def test_the_environment_overrides_the_four_sections(tmp_path: Path) -> None:
    environ = {
        "UNIGATE_SERVER__PORT": "9001",
        "UNIGATE_SERVER__ALLOW_PRIVATE_UPSTREAMS": "true",
        "UNIGATE_SERVER__TRUSTED_PROXIES": "10.0.0.0/8, ::1",
        "UNIGATE_DATABASE__URL": "postgresql://u:p@db/x",
        "UNIGATE_REDIS__URL": "redis://cache",
        "UNIGATE_STORAGE__KEEP": "false",
    }
    found = read(tmp_path, "server: {port: 1, host: '::1'}\nstorage: {keep: true}", environ)
    assert (found.server.port, found.server.host, found.server.allow_private_upstreams) == (9001, "::1", True)
    assert (found.database.url, found.redis.url, found.storage.keep) == (
        "postgresql://u:p@db/x",
        "redis://cache",
        False,
    )
    assert with_server(found, port=5, host=None).server.port == 5
    with pytest.raises(ConfigError, match=r"--workers: expected a whole number >= 1, not 0"):
        with_server(found, workers=0)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("UNIGATE_SERVER__PORT", "environment variable UNIGATE_SERVER__PORT: expected a whole number, not 'x'"),
        (
            "UNIGATE_SERVER__TRUSTED_PROXIES",
            "environment variable UNIGATE_SERVER__TRUSTED_PROXIES: expected an address or a network such as 10.0.0.0/8",
        ),
        (
            "UNIGATE_TELEMETRY__HEADERS",
            "environment variable UNIGATE_TELEMETRY__HEADERS: a mapping can be given by the file only",
        ),
        ("UNIGATE_SERVER__FOO", "environment variable UNIGATE_SERVER__FOO: unknown name; server has host, port,"),
        ("UNIGATE_KEYS__NAME", "environment variable UNIGATE_KEYS__NAME: unknown section; known are server, database"),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, variable: str, message: str) -> None:
    assert refused(tmp_path, "{}", {variable: "x"}).startswith(message)


def test_a_dollar_is_kept_by_doubling_it(tmp_path: Path) -> None:
    found = read(tmp_path, "secret: $$HOME", {"HOME": "/root"})
    assert found.secret.reveal() == "$HOME"


def test_a_secret_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    first = load(data=tmp_path, environ={})
    assert first.made_secret == tmp_path / "secret"
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert len(first.secret.reveal()) >= 32
    again = load(data=tmp_path, environ={})
    assert again.made_secret is None
    assert again.secret == first.secret
    assert load(data=tmp_path, environ={"UNIGATE_SECRET": "other"}).secret.reveal() == "other"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    (tmp_path / "secret").write_text("")
    with pytest.raises(ConfigError, match="is empty"):
        load(data=tmp_path, environ={})


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///data/unigate.db", "sqlite:///{data}/data/unigate.db"),
        ("sqlite:////var/lib/unigate.db", "sqlite:////var/lib/unigate.db"),
        ("postgresql://user@host/name", "postgresql://user@host/name"),
    ],
)
def test_relative_paths_lie_below_the_data_directory(tmp_path: Path, url: str, resolved: str) -> None:
    found = read(tmp_path, f"database: {{url: '{url}'}}")
    assert found.database.url == resolved.format(data=tmp_path / "data")


def test_settings_never_print_secrets(tmp_path: Path) -> None:
    text = """
secret: hidden-1
database: {url: "postgresql://user:hidden-2@db/x"}
redis: {url: "redis://:hidden-3@cache/0"}
channels: [{name: a, provider: b, credentials: [hidden-4, {k: hidden-5}], options: {proxy: "http://u:hidden-6@p"}}]
users: [{name: a, password: hidden-7}]
keys: [{name: a, user: a, secret: hidden-8}]
"""
    found = read(tmp_path, text)
    assert "hidden" not in f"{found} {found!r} {found.config} {found.config!r}"
    assert str(found.database.url).endswith(":hidden-2@db/x")
