"""Realtime sessions by the official SDK and by a bare WebSocket: everything passes, and each response is paid exactly."""

import base64
from collections.abc import Iterator

import httpx
import openai
import pytest
from websockets.exceptions import InvalidStatus

from support.realtime import PRICES, cost, silence, spoken, talking
from support.stage import Stage, set_stage
from support.waiting import wait_until
from support.world import Process

CONFIG = (
    """
channels:
  - {name: broken, provider: openai, base_url: "SANDBOX/fault/500,model:gpt-realtime/openai/v1", credentials: sk-broken,
     models: [gpt-realtime], priority: 9}
  - {name: refused, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-invalid-key, models: [gpt-realtime],
     priority: 8}
  - {name: busy, provider: openai, base_url: "SANDBOX/fault/429/openai/v1", credentials: sk-busy, models: [gpt-realtime],
     priority: 7}
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-main,
     models: {gpt-realtime: gpt-realtime, talk: gpt-realtime, gpt-4o-transcribe: gpt-4o-transcribe,
              none-such: none-such}}
users: [{name: alice, credit: 100}, {name: bob, credit: 100}]
groups: [{name: default, multiplier: 1}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
"""
    + PRICES
    + "  - {model: none-such, input: 1, output: 1}\n"
)
BOB = "sk-bob-0123456789"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """Three channels that refuse in their own ways, and one that serves."""
    built = set_stage(tmp_path_factory.mktemp("realtime"), vendors, CONFIG)
    yield built
    built.stop()


def paid(stage: Stage, *response_ids: str) -> list[dict[str, object]]:
    """The rows of responses, by the vendor's ids, once they are there."""
    found: dict[str, dict[str, object]] = {}

    def look() -> bool:
        found.update({row["upstream_request_id"]: row for row in stage.rows().values()})
        return set(response_ids) <= set(found)

    wait_until(look, what="the rows of the responses", seconds=30)
    return [found[response_id] for response_id in response_ids]


@pytest.mark.endpoint("O16")
async def test_the_sdk_talks_in_text(stage: Stage) -> None:
    client = openai.AsyncOpenAI(api_key=stage.key, base_url=stage.base)
    said, types = "", []
    async with client.realtime.connect(model="gpt-realtime") as session:
        await session.session.update(
            session={"type": "realtime", "model": "gpt-realtime", "output_modalities": ["text"]}
        )
        await session.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "[[reply:It works well.]]"}],
            }
        )
        await session.response.create()
        async for event in session:
            types.append(event.type)
            if event.type == "response.output_text.delta":
                said += event.delta
            if event.type == "response.done":
                break
    assert event.type == "response.done"
    assert said == "It works well."
    assert types[0] == "session.created" and "response.output_text.done" in types
    usage = event.response.usage
    assert usage is not None and event.response.id
    (row,) = paid(stage, event.response.id)
    assert row["charged"] == row["cost"] == cost(usage.to_dict())
    assert (row["operation"], row["model"], row["status"]) == ("openai.realtime", "gpt-realtime", 200)
    assert (row["input_tokens"], row["output_tokens"]) == (usage.input_tokens, usage.output_tokens)


async def test_sound_passes_untouched_and_is_as_long_as_its_text(stage: Stage) -> None:
    async with talking(stage, text_only=False) as talker:
        done = await talker.answer("[[reply:One two three four five.]]")
        deltas = [event for event in talker.seen if event["type"] == "response.output_audio.delta"]
        words = [event["delta"] for event in talker.seen if event["type"] == "response.output_audio_transcript.delta"]
    sound = b"".join(base64.b64decode(event["delta"]) for event in deltas)
    assert "".join(words) == "One two three four five." == done["output"][0]["content"][0]["transcript"]
    details = done["usage"]["output_token_details"]
    assert len(sound) == details["audio_tokens"] * 50 * 48  # a token is 50 ms, a millisecond 48 bytes
    assert details["audio_tokens"] > 0 < details["text_tokens"]
    (row,) = paid(stage, done["id"])
    assert row["charged"] == cost(done["usage"])
    assert row["units"]["audio_output"] == details["audio_tokens"]  # type: ignore[index]


async def test_turns_cost_what_the_conversation_has_become(stage: Stage) -> None:
    async with talking(stage) as talker:
        done = [await talker.answer(f"Tell me more of it. Part {at} [[tokens:80]]") for at in range(3)]
    rows = paid(stage, *(one["id"] for one in done))
    assert [row["charged"] for row in rows] == [cost(one["usage"]) for one in done]
    assert done[2]["usage"]["input_token_details"]["cached_tokens"] > 0
    assert rows[2]["units"]["cached_input"] > 0  # type: ignore[index]
    assert len({row["id"] for row in rows}) == 3


async def test_who_speaks_is_heard_and_written_down(stage: Stage) -> None:
    async with talking(stage) as talker:
        sound = {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}
        await talker.say("session.update", session={"type": "realtime", "audio": sound})
        await talker.until("session.updated")
        for piece in (spoken(1000), spoken(1000), silence(400)):
            await talker.say("input_audio_buffer.append", audio=piece)
        done = (await talker.until("response.done"))["response"]
        types = talker.types()
    assert types.index("input_audio_buffer.speech_started") < types.index("input_audio_buffer.committed")
    written = next(one for one in talker.seen if one["type"].endswith("transcription.completed"))
    usage = written["usage"]
    response, transcription = paid(stage, done["id"], written["item_id"])
    assert response["charged"] == cost(done["usage"])
    assert done["usage"]["input_token_details"]["audio_tokens"] == 24
    assert usage["input_tokens"] == 24
    assert transcription["charged"] == 24 * 6000 + usage["output_tokens"] * 8000
    assert transcription["model"] == "gpt-4o-transcribe"


async def test_a_session_that_only_writes_down_is_paid_by_time(stage: Stage) -> None:
    async with talking(stage, query="model=gpt-4o-transcribe&intent=transcription", text_only=False) as talker:
        sound = {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}}
        await talker.say("session.update", session={"type": "transcription", "audio": sound})
        await talker.until("session.updated")
        await talker.say("input_audio_buffer.append", audio=spoken(3000))
        await talker.say("input_audio_buffer.commit")
        written = await talker.until("conversation.item.input_audio_transcription.completed")
    (row,) = paid(stage, written["item_id"])
    assert (row["model"], row["units"]) == ("whisper-1", {"milliseconds": 3000})
    assert row["charged"] == 300_000  # 0.006 USD a minute


async def test_a_browser_says_its_key_in_a_subprotocol_and_the_beta_has_its_names(stage: Stage) -> None:
    offered = ["realtime", f"openai-insecure-api-key.{stage.key}", "openai-beta.realtime-v1"]
    async with talking(stage, key="-", subprotocols=offered, text_only=False) as talker:
        assert talker.socket.subprotocol == "realtime"
        done = await talker.answer("[[reply:Hello]]")
    assert {"response.audio.delta", "response.audio_transcript.delta", "conversation.item.created"} <= set(
        talker.types()
    )
    assert talker.seen[0]["session"]["input_audio_format"] == "pcm16"
    assert paid(stage, done["id"])[0]["charged"] == cost(done["usage"])
    log = httpx.get(stage.sandbox.url + "/sandbox/requests", params={"contains": "[[reply:Hello]]"}).text
    assert stage.key not in log and BOB not in log


async def test_what_is_cancelled_is_paid_as_far_as_it_was_made(stage: Stage) -> None:
    async with talking(stage) as talker:
        await talker.ask("[[pace:20]][[tokens:2000]]")
        await talker.until("response.output_text.delta")
        await talker.say("response.cancel")
        done = (await talker.until("response.done"))["response"]
        assert done["status"] == "cancelled"
        again = await talker.answer("[[reply:Still here]]")
    rows = paid(stage, done["id"], again["id"])
    assert [row["ended"] for row in rows] == ["canceled", "completed"]
    assert rows[0]["charged"] == cost(done["usage"])
    assert 0 < done["usage"]["output_tokens"] < 2000


async def test_functions_are_called(stage: Stage) -> None:
    tool = {"type": "function", "name": "get_weather", "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}  # fmt: skip
    async with talking(stage) as talker:
        done = await talker.answer("What is the weather in Paris?", tools=[tool], tool_choice="required")
        call = done["output"][0]
        assert (call["type"], call["name"]) == ("function_call", "get_weather")
        item = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"sky": "clear"}'}
        await talker.say("conversation.item.create", item=item)
        await talker.say("response.create")
        told = (await talker.until("response.done"))["response"]
    assert told["output"][0]["type"] == "message"
    assert [row["charged"] for row in paid(stage, done["id"], told["id"])] == [cost(done["usage"]), cost(told["usage"])]


async def test_a_name_of_the_operators_goes_to_the_vendors_model(stage: Stage) -> None:
    async with talking(stage, model="talk") as talker:
        assert talker.seen[0]["session"]["model"].startswith("gpt-realtime")
        await talker.say("session.update", session={"type": "realtime", "model": "talk", "output_modalities": ["text"]})
        await talker.until("session.updated")
        done = await talker.answer("[[reply:Hi]]")
    (row,) = paid(stage, done["id"])
    assert (row["model"], row["upstream_model"]) == ("talk", "gpt-realtime")


async def test_routes_are_tried_until_one_accepts(stage: Stage) -> None:
    async with talking(stage) as talker:
        assert talker.seen[0]["type"] == "session.created"
    sessions = [row for row in stage.rows().values() if row["status"] == 101]
    seen = {attempt[2] for row in sessions for attempt in row["attempts"]}
    assert {500, 401, 429, 101} <= seen
    assert all(row["cost"] == 0 for row in sessions)


async def test_what_the_vendor_refuses_is_an_http_answer(stage: Stage) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with talking(stage, model="none-such"):
            pass
    assert refused.value.response.status_code == 404
    assert b"model_not_found" in (refused.value.response.body or b"")


@pytest.mark.endpoint("O16")
async def test_a_client_secret_works_here_and_is_bound_to_its_session(stage: Stage) -> None:
    async with openai.AsyncOpenAI(api_key=BOB, base_url=stage.base) as client:
        made = await client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={
                "type": "realtime",
                "model": "talk",
                "instructions": "Speak of tea.",
                "output_modalities": ["text"],
            },
        )
    assert made.value.startswith("ek_v1.") and "=" not in made.value
    before = stage.settled(BOB)["used"]
    offered = ["realtime", f"openai-insecure-api-key.{made.value}"]
    async with talking(stage, key="-", model="talk", subprotocols=offered, text_only=False) as talker:
        assert talker.seen[0]["type"] == "session.created"
        updated = await talker.until("session.updated") if "session.updated" in talker.types() else None
        assert updated is None
        done = await talker.answer("[[reply:Tea]]")
    (row,) = paid(stage, done["id"])
    assert row["charged"] == cost(done["usage"])
    assert done["output_modalities"] == ["text"]
    assert stage.settled(BOB)["used"] > before
    # It opens sessions of that model, and nothing else.
    for model in ("gpt-realtime", "gpt-4o-transcribe"):
        with pytest.raises(InvalidStatus):
            async with talking(stage, key=made.value, model=model):
                pass
    head = {"authorization": f"Bearer {made.value}"}
    assert httpx.get(f"{stage.base}/models", headers=head).status_code == 401
    with pytest.raises(InvalidStatus) as refused:
        async with talking(stage, key=made.value[:-4] + "AAAA", model="talk"):
            pass
    assert refused.value.response.status_code == 401


@pytest.mark.endpoint("O16")
def test_older_secrets_and_webrtc(stage: Stage) -> None:
    head = {"authorization": f"Bearer {stage.key}"}
    made = httpx.post(f"{stage.base}/realtime/sessions", json={"model": "talk", "voice": "coral"}, headers=head)
    assert made.status_code == 200, made.text
    assert made.json()["client_secret"]["value"].startswith("ek_v1.") and made.json()["voice"] == "coral"
    wrong = httpx.post(f"{stage.base}/realtime/sessions", json={"model": "talk", "voice": "nobody"}, headers=head)
    assert wrong.status_code == 400 and wrong.json()["error"]["param"] == "session.audio.output.voice"
    offer = httpx.post(
        f"{stage.base}/realtime/calls?model=talk", content=b"v=0", headers={**head, "content-type": "application/sdp"}
    )
    assert offer.status_code == 403 and "WebSocket" in offer.json()["error"]["message"]


def test_the_books_agree(stage: Stage) -> None:
    stage.settled()
    stage.sound()
