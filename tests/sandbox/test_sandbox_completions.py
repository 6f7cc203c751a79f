"""Completions in the older form: every parameter, plain and streamed, as the official SDK reads them."""

from typing import Any

import httpx
import pytest
from sandbox_client import Sandbox

MODEL = "gpt-3.5-turbo-instruct"
PROMPT = "Tell me about the river"


def post(sandbox: Sandbox, **body: Any) -> httpx.Response:
    headers = {"authorization": "Bearer sk-sandbox-0001"}
    sent = {"model": MODEL, "prompt": PROMPT, **body}
    return sandbox.http.post(f"{sandbox.url}/openai/v1/completions", json=sent, headers=headers)


def refusal(sandbox: Sandbox, **body: Any) -> tuple[int, str | None, str | None]:
    reply = post(sandbox, **body)
    error = reply.json()["error"]
    assert error["message"]
    return reply.status_code, error["param"], error["code"]


def test_plain(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    made = sdk.completions.create(model=MODEL, prompt=PROMPT)
    assert made.object == "text_completion" and made.id.startswith("cmpl-")
    assert made.choices[0].text.startswith(" ")
    assert made.choices[0].finish_reason == "length", "16 tokens where no limit is named"
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (5, 16)
    longer = sdk.completions.create(model=MODEL, prompt=PROMPT, max_tokens=500)
    assert longer.choices[0].finish_reason == "stop"
    assert longer.choices[0].text.startswith(made.choices[0].text)
    assert "river" in longer.choices[0].text
    again = sdk.completions.create(model=MODEL, prompt=PROMPT, max_tokens=500)
    assert again.choices[0].text == longer.choices[0].text


def test_many_prompts_and_answers_have_their_places(sandbox: Sandbox) -> None:
    prompts = ['Say "one"', 'Say "two"', "Tell a story"]
    made = sandbox.openai().completions.create(model=MODEL, prompt=prompts, n=2, max_tokens=40)
    assert [choice.index for choice in made.choices] == [0, 1, 2, 3, 4, 5]
    texts = [choice.text for choice in made.choices]
    assert texts[:4] == [" one", " one", " two", " two"]
    assert texts[4] != texts[5]


def test_the_best_of_several_candidates_is_given_and_all_are_counted(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    one = sdk.completions.create(model=MODEL, prompt=PROMPT, max_tokens=10, logprobs=0)
    best = sdk.completions.create(model=MODEL, prompt=PROMPT, max_tokens=10, logprobs=0, best_of=5)
    assert one.usage and best.usage and best.choices[0].logprobs and one.choices[0].logprobs
    assert best.usage.completion_tokens == 5 * one.usage.completion_tokens
    assert best.usage.prompt_tokens == one.usage.prompt_tokens
    assert len(best.choices) == 1
    assert sum(best.choices[0].logprobs.token_logprobs or ()) >= sum(one.choices[0].logprobs.token_logprobs or ())


def test_echo(sandbox: Sandbox) -> None:
    made = sandbox.openai().completions.create(model=MODEL, prompt=PROMPT, echo=True, max_tokens=4)
    assert made.choices[0].text.startswith(PROMPT + " ")
    assert made.usage is not None and made.usage.completion_tokens == 4
    alone = post(sandbox, echo=True, max_tokens=0, logprobs=1).json()["choices"][0]
    assert alone["text"] == PROMPT
    told = alone["logprobs"]
    assert "".join(told["tokens"]) == PROMPT
    assert told["token_logprobs"][0] is None and told["top_logprobs"][0] is None
    assert all(sure < 0 for sure in told["token_logprobs"][1:])
    assert told["text_offset"] == [0, 4, 7, 13, 17]


def test_logprobs_name_the_likeliest_and_where_tokens_begin(sandbox: Sandbox) -> None:
    choice = sandbox.openai().completions.create(model=MODEL, prompt=PROMPT, logprobs=3, max_tokens=6).choices[0]
    told = choice.logprobs
    assert told is not None and told.tokens and told.top_logprobs and told.token_logprobs and told.text_offset
    assert "".join(told.tokens) == choice.text
    assert told.text_offset[0] == len(PROMPT)
    for token, sure, top in zip(told.tokens, told.token_logprobs, told.top_logprobs, strict=True):
        assert len(top) == 3
        assert top[token] == sure == max(top.values()) <= 0


def test_a_suffix_is_led_to(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    made = sdk.completions.create(model=MODEL, prompt="Once a fox", suffix=" met a heron.", max_tokens=60)
    assert "fox" in made.choices[0].text and "met" in made.choices[0].text
    chinese = sdk.completions.create(model=MODEL, prompt="从前有一只狐狸", suffix="它回家了", max_tokens=60)
    assert "狐狸" in chinese.choices[0].text


def test_stop_and_markers(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    made = sdk.completions.create(model=MODEL, prompt="[[reply:a b END c]]", stop=["END"])
    assert made.choices[0].text == " a b "
    assert sdk.completions.create(model=MODEL, prompt="[[tokens:30]]", max_tokens=30).choices[0].finish_reason in (
        "stop",
        "length",
    )
    assert (
        sdk.completions.create(model=MODEL, prompt="x [[filter]]", max_tokens=200).choices[0].finish_reason
        == "content_filter"
    )
    assert "sorry" in sdk.completions.create(model=MODEL, prompt="x [[refuse]]").choices[0].text


def test_tokens_as_prompts(sandbox: Sandbox) -> None:
    made = sandbox.openai().completions.create(model=MODEL, prompt=[[1, 2, 3], [4]], echo=True, max_tokens=0)
    assert [choice.text for choice in made.choices] == ["<|1|><|2|><|3|>", "<|4|>"]
    assert made.usage is not None and made.usage.prompt_tokens == 4
    assert post(sandbox, prompt=[5, 6]).json()["usage"]["prompt_tokens"] == 2
    assert post(sandbox, prompt=None).json()["usage"]["prompt_tokens"] == 1
    assert post(sandbox, prompt="").json()["choices"][0]["text"]


def test_streams_say_the_same(sandbox: Sandbox) -> None:
    sdk = sandbox.openai()
    asked: dict[str, Any] = {"model": MODEL, "prompt": ["Hello", PROMPT], "max_tokens": 30, "n": 2, "echo": True}
    whole = sdk.completions.create(**asked, logprobs=2)
    chunks = list(
        sdk.completions.create(**asked, logprobs=2, stream=True, stream_options={"include_usage": True}),
    )
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    for choice in whole.choices:
        mine = [c for chunk in chunks for c in chunk.choices if c.index == choice.index]
        assert "".join(c.text for c in mine) == choice.text
        assert [c.finish_reason for c in mine][-1] == choice.finish_reason
        assert {c.finish_reason for c in mine[:-1]} == {None}
        offsets = [at for c in mine if c.logprobs for at in c.logprobs.text_offset or ()]
        assert choice.logprobs is not None and offsets == choice.logprobs.text_offset
    quiet = sdk.completions.create(model=MODEL, prompt="Hello", stream=True)
    assert all(chunk.usage is None for chunk in quiet)


def test_faults_know_completions_too(sandbox: Sandbox) -> None:
    def events(fault: str) -> list[str]:
        text = post(sandbox, prompt=f"Hello [[fault:{fault}]]", stream=True, max_tokens=9).text
        return [part.removeprefix("data: ") for part in text.split("\n\n") if part.startswith("data: ")]

    assert events("missing-end")[-1] != "[DONE]"
    assert all('"finish_reason":null' in event for event in events("missing-finish")[:-1])
    assert "error" in events("error-event:2")[-1]
    assert post(sandbox, prompt="[[fault:empty]]").json()["choices"][0]["text"] == ""
    assert "usage" not in post(sandbox, prompt="[[fault:missing-usage]]").json()
    assert post(sandbox, prompt="[[fault:429]]").status_code == 429


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"model": "gpt-4o"}, (404, "model", None)),
        ({"model": "text-embedding-3-small"}, (404, "model", None)),
        ({"model": "nothing"}, (404, None, "model_not_found")),
        ({"prompt": 5}, (400, "prompt", "invalid_type")),
        ({"prompt": []}, (400, "prompt", "empty_array")),
        ({"prompt": ["a", 5]}, (400, "prompt[1]", "invalid_type")),
        ({"prompt": [[1, "a"]]}, (400, "prompt[0][1]", "invalid_type")),
        ({"prompt": [-1]}, (400, "prompt[0]", "integer_below_min_value")),
        ({"n": 3, "best_of": 2}, (400, "best_of", None)),
        ({"best_of": 21}, (400, "best_of", "integer_above_max_value")),
        ({"best_of": 2, "stream": True}, (400, "best_of", None)),
        ({"logprobs": 6}, (400, "logprobs", "integer_above_max_value")),
        ({"logprobs": True}, (400, "logprobs", "invalid_type")),
        ({"max_tokens": -1}, (400, "max_tokens", "integer_below_min_value")),
        ({"max_tokens": 4096}, (400, None, None)),
        ({"echo": "yes"}, (400, "echo", "invalid_type")),
        ({"suffix": 5}, (400, "suffix", "invalid_type")),
        ({"suffix": "x", "model": "davinci-002"}, (400, "suffix", "unsupported_value")),
        ({"temperature": 3}, (400, "temperature", "decimal_above_max_value")),
        ({"stream_options": {}}, (400, "stream_options", None)),
        ({"stop": ["a"] * 5}, (400, "stop", "array_above_max_length")),
    ],
)
def test_what_is_refused(sandbox: Sandbox, body: dict[str, Any], told: tuple[int, str | None, str | None]) -> None:
    assert refusal(sandbox, **body) == told


def test_a_model_for_texts_does_not_chat(sandbox: Sandbox) -> None:
    reply = sandbox.post(model=MODEL)
    assert (reply.status_code, reply.json()["error"]["param"]) == (404, "model")
    assert sandbox.post(model="sandbox-any").status_code == 200
    assert post(sandbox, model="sandbox-any", suffix=" end").status_code == 200
