"""The tools that providers are put together from: renamed and refused members, cached tokens, errors, private usage."""

import json

import pytest

from unigate import dialects
from unigate.dialects import private_usage
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.dialects.vendor_fields import cached_in, fields
from unigate.providers import catalogue
from unigate.spec.facts import Facts

ADJUST = fields(rename={"new": "old"}, drop=("odd",), unsaid=("quiet",))


@pytest.mark.parametrize(
    ("body", "changed", "ignored"),
    [
        (b'{"model":"m"}', b'{"model":"m"}', ()),
        (b'{"model":"the new one"}', b'{"model":"the new one"}', ()),
        (b'{"a":{"new":1,"odd":2}}', b'{"a":{"new":1,"odd":2}}', ()),
        (b'{ "new": 5 , "x":1}', b'{ "old": 5 , "x":1}', ()),
        (b'{"n\\u0065w":5}', b'{"old":5}', ()),
        (b'{"new":5,"old":4}', b'{"old":4}', ("new",)),
        (b'{"odd":[1,{"odd":2}],"new":5,"quiet":0}', b'{"old":5}', ("odd",)),
        (b'{"quiet":{}}', b"{}", ()),
    ],
)
def test_members(body: bytes, changed: bytes, ignored: tuple[str, ...]) -> None:
    assert ADJUST(body, {}) == (changed, ignored)
    if body == changed:
        assert ADJUST(body, {})[0] is body


def test_cached_tokens() -> None:
    adjust = cached_in("hit", "older_hit")
    assert adjust({"prompt_tokens": 9}) == {"prompt_tokens": 9}
    assert adjust({"older_hit": 3})["prompt_tokens_details"] == {"cached_tokens": 3}
    assert adjust({"hit": 0, "older_hit": 3})["prompt_tokens_details"] == {"cached_tokens": 0}
    own = {"hit": 5, "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1}}
    assert adjust(own) is own
    kept = adjust({"hit": 5, "prompt_tokens_details": {"audio_tokens": 1}})
    assert kept["prompt_tokens_details"] == {"audio_tokens": 1, "cached_tokens": 5}


def test_what_errors_mean() -> None:
    adjust = meanings(
        Meaning(status=429, means=402, codes={"1113"}),
        Meaning(status=400, means=401, says="Wrong KEY"),
        Meaning(status=403, means=400, says="rules", message="Against the rules."),
        private=("account",),
    )
    assert adjust(429, b'{"error":{"code":1113}}') == (402, b'{"error":{"code":1113}}')
    assert adjust(429, b'{"error":{"type":"1113","message":"x"},"account":"a"}')[0] == 402
    assert adjust(429, b'{"error":{"code":"1302","message":"1113"}}')[0] == 429
    assert adjust(400, b'{"code":"x","error":"a wrong key, it seems"}')[0] == 401
    status, body = adjust(403, b'{"error":{"message":"The RULES of team 7","code":"c"},"account":"a"}')
    assert (status, json.loads(body)["error"]["message"]) == (400, "Against the rules.")
    assert b"team 7" not in body
    assert adjust(404, b'{"account":"a","error":{"message":"m"}}') == (404, b'{"error":{"message":"m"}}')
    for body in (b"", b"<html>account</html>", b'{"account', b"[]", b"null", b'"account"'):
        assert adjust(500, body) == (500, body)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (b'{"usage":{"cost":1,"prompt_tokens":2}}', b'{"usage":{"prompt_tokens":2}}'),
        (b'{"usage":{"prompt_tokens":2,"cost":1}}', b'{"usage":{"prompt_tokens":2}}'),
        (b'{"usage":{"cost":1}}', b'{"usage":{}}'),
        (b'{"usage":{"c\\u006fst":1,"n":0}}', b'{"usage":{"n":0}}'),
        (
            b'{"type":"r","response":{"id":"x","usage":{"cost":{"a":1},"n":0}}}',
            b'{"type":"r","response":{"id":"x","usage":{"n":0}}}',
        ),
        (
            b'{"choices":[{"message":{"content":"the cost"}}],"cost":3}',
            b'{"choices":[{"message":{"content":"the cost"}}],"cost":3}',
        ),
        (b'{"usage":null,"x":"cost"}', b'{"usage":null,"x":"cost"}'),
        (b"cost", b"cost"),
    ],
)
def test_private_usage(text: bytes, hidden: bytes) -> None:
    assert private_usage.hidden(text, {"cost"}) == hidden
    assert private_usage.hidden(text, ()) is text


#: The last event of a stream in each dialect that has streams; PRIVATE stands for the vendor's own members.
LAST = {
    "openai_chat": b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,PRIVATE}}\n\n',
    "openai_completions": b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,PRIVATE}}\n\n',
    "openai_responses": (
        b'event: response.completed\ndata: {"type":"response.completed","sequence_number":1,"response":{"id":"resp_1",'
        b'"status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2,PRIVATE}}}\n\n'
    ),
}


@pytest.mark.parametrize("name", [name for name, provider in catalogue().items() if provider.private_usage])
@pytest.mark.parametrize("spoken", LAST)
def test_no_stream_of_any_dialect_tells_private_usage(name: str, spoken: str) -> None:
    provider = catalogue()[name]
    if spoken not in provider.speaks:
        pytest.skip("it does not speak that")
    dialect = dialects.dialect(spoken)
    assert dialects.streams(dialect)
    private = b",".join(b'"%s":1' % member.encode() for member in sorted(provider.private_usage))
    watch = dialect.Watch(Facts(model="m", stream=True, usage_in_stream=True), provider, show_usage=True)
    out = watch.feed(LAST[spoken].replace(b"PRIVATE", private)) + watch.finish() + watch.ending
    assert watch.usage is not None
    assert watch.usage.units == {"input": 1, "output": 2}
    assert b"tokens" in out
    assert not any(b'"%s"' % member.encode() in out for member in provider.private_usage)
