"""Where providers have what they keep for users."""

import pytest

from unigate.dialects import operations
from unigate.providers import catalogue
from unigate.spec.provider import Credential

ROWS = {row.name: row for row in operations() if row.use == "passed" and row.dialect.startswith("openai_")}


def test_few_have_it_and_those_have_all() -> None:
    having = {
        name: {row.name for row in ROWS.values() if provider.serves(row)} for name, provider in catalogue().items()
    }
    assert {name for name, served in having.items() if served} == {"openai", "azure_openai"}
    assert having["openai"] == having["azure_openai"] == set(ROWS)


@pytest.mark.parametrize(("name", "before"), [("openai", ""), ("azure_openai", "/openai/v1")])
def test_paths_keep_what_callers_put_into_them(name: str, before: str) -> None:
    row = ROWS["openai.vector_stores.files.content"]
    request = catalogue()[name].request(
        row.upstream_path,
        row.name,
        "",
        Credential("crd_1", "sk-secret"),
        {"api_version": "2026-01-01"},
        method=row.method,
        values={"id": "vs_1", "file_id": "../x?y"},
    )
    assert request.target == f"{before}/vector_stores/vs_1/files/..%2Fx%3Fy/content"
    assert request.method == "GET"
