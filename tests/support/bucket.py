"""An S3-compatible server over real HTTP, as far as storing files goes. It recomputes every signature (Signature Version 4).

Path-style addresses, one bucket; PUT, GET with ranges, HEAD, DELETE, and uploads in parts.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, quote, unquote

KEY, SECRET, REGION, BUCKET = "AKIDTEST", "secret-of-the-bucket", "eu-test-1", "films"
_AUTH = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)"
)


class Bucket:
    """The server, and what is in it."""

    def __init__(self) -> None:
        self.port = 0
        self.files: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        #: Uploads that have not ended.
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.asked: Counter[str] = Counter()
        #: Requests whose signature was wrong or missing.
        self.refused = 0
        self.writers: list[asyncio.StreamWriter] = []
        #: Answer everything with 500.
        self.broken = False

    @property
    def environment(self) -> dict[str, str]:
        """What reaches it, by the names of the usual variables."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, target, _ = first.split(" ")
                status, more, answer = self._answer(method, target, headers, body)
                more = {"content-length": str(len(answer)), **more}
                said = "".join(f"{name}: {value}\r\n" for name, value in more.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{said}\r\n".encode())
                writer.write(b"" if method == "HEAD" else answer)
                await writer.drain()
        writer.close()

    def _answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        path, _, query = target.partition("?")
        asked = dict(parse_qsl(query, keep_blank_values=True))
        self.asked[f"{method} {'part' if 'partNumber' in asked else 'upload' if 'uploads' in asked else 'file'}"] += 1
        if self.broken:
            return 500, {}, b"<Error><Code>InternalError</Code></Error>"
        if not _signed(method, path, query, headers, body):
            self.refused += 1
            return 403, {}, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
        bucket, _, name = unquote(path).lstrip("/").partition("/")
        if bucket != BUCKET:
            return 404, {}, b"<Error><Code>NoSuchBucket</Code></Error>"
        if "delete" in asked:
            names = [unquote(found) for found in re.findall(r"<Key>(.*?)</Key>", body.decode())]
            for one in names:
                self.files.pop(one, None)
            said = "".join(f"<Deleted><Key>{one}</Key></Deleted>" for one in names)
            return 200, {}, f"<DeleteResult>{said}</DeleteResult>".encode()
        if "list-type" in asked:
            named = sorted(one for one in self.files if one.startswith(asked.get("prefix", "")))
            said = "".join(
                f"<Contents><Key>{one}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>{_tag(self.files[one])}</ETag><Size>{len(self.files[one])}</Size></Contents>"
                for one in named
            )
            return 200, {}, f"<ListBucketResult><IsTruncated>false</IsTruncated>{said}</ListBucketResult>".encode()
        if method == "POST" or "uploadId" in asked:
            return self._upload(method, name, asked, body, headers)
        if method == "PUT":
            self.files[name], self.types[name] = body, headers.get("content-type", "")
            return 200, {"etag": _tag(body)}, b""
        if method == "DELETE":
            self.files.pop(name, None)
            return 204, {}, b""
        return self._read(name, headers.get("range"))

    def _read(self, name: str, asked: str | None) -> tuple[int, dict[str, str], bytes]:
        body = self.files.get(name)
        if body is None:
            return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
        said = {"etag": _tag(body), "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT", "content-type": self.types[name]}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked or "")
        if found is None:
            return 200, said, body
        start, stop = int(found[1]), min(int(found[2] or len(body)) + 1, len(body))
        return 206, {**said, "content-range": f"bytes {start}-{stop - 1}/{len(body)}"}, body[start:stop]

    def _upload(
        self, method: str, name: str, asked: Mapping[str, str], body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        if "uploads" in asked:
            upload = secrets.token_hex(8)
            self.uploads[upload] = {}
            self.types[name] = headers.get("content-type", "")
            said = f"<Bucket>{BUCKET}</Bucket><Key>{name}</Key><UploadId>{upload}</UploadId>"
            return 200, {}, f"<InitiateMultipartUploadResult>{said}</InitiateMultipartUploadResult>".encode()
        parts = self.uploads[asked["uploadId"]]
        if method == "PUT":
            parts[int(asked["partNumber"])] = body
            return 200, {"etag": _tag(body)}, b""
        del self.uploads[asked["uploadId"]]
        if method == "DELETE":
            return 204, {}, b""
        self.files[name] = b"".join(parts[number] for number in sorted(parts))
        said = f"<Location>x</Location><Bucket>{BUCKET}</Bucket><Key>{name}</Key><ETag>{_tag(self.files[name])}</ETag>"
        return 200, {}, f"<CompleteMultipartUploadResult>{said}</CompleteMultipartUploadResult>".encode()


def _tag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


def _signed(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a request carries the signature that its content asks for.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    found = _AUTH.fullmatch(headers.get("authorization", ""))
    if found is None or found[1] != KEY or found[3] != REGION:
        return False
    said = headers["x-amz-content-sha256"]
    if said not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return False
    pairs = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in parse_qsl(query, keep_blank_values=True))
    names = found[4].split(";")
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(f"{n}={v}" for n, v in pairs),
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            found[4],
            said,
        ]
    )
    scope = f"{found[2]}/{found[3]}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in (found[2], found[3], "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), found[5])


@asynccontextmanager
async def bucket() -> AsyncIterator[Bucket]:
    """A running one."""
    made = Bucket()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for writer in made.writers:
            writer.close()
        for writer in made.writers:
            with suppress(ConnectionError):
                await writer.wait_closed()
        await asyncio.sleep(0)  # the connections' tasks see that they have ended
