"""Load by wrk: requests a second and latencies."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

BODY = (
    '{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant."},'
    '{"role":"user","content":"How is everything today?"}],"max_tokens":200,"temperature":0.7}'
)


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests a second, latencies in milliseconds, replies, and replies that were not 2xx."""

    rate: float
    p50: float
    p99: float
    replies: int
    bad: int


def wrk(url: str, key: str, *, connections: int, seconds: int, core: int, directory: Path) -> Load:
    """POST the small chat body for some seconds."""
    script = directory / "post.lua"
    script.write_text(
        f"""wrk.method = "POST"
wrk.body = [=[{BODY}]=]
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer {key}"
done = function(s, l, r)
  io.write(string.format("RESULT %d %d %d %d\\n", s.requests, s.errors.status, s.errors.connect + s.errors.read
    + s.errors.write + s.errors.timeout, s.duration))
  io.write(string.format("LATENCY %f %f\\n", l:percentile(50) / 1000, l:percentile(99) / 1000))
end
"""
    )
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    out = subprocess.run(
        [*command, "-s", str(script), url + "/v1/chat/completions"], capture_output=True, text=True, check=True
    ).stdout
    result = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", out)
    latency = re.search(r"LATENCY ([\d.]+) ([\d.]+)", out)
    if result is None or latency is None:
        raise SystemExit(f"wrk said:\n{out}")
    requests, bad_status, errors, micros = (int(n) for n in result.groups())
    return Load(
        requests / (micros / 1e6), float(latency[1]), float(latency[2]), requests - bad_status, bad_status + errors
    )
