"""The gateways that are compared: unigate with everything on, and LiteLLM from its package."""

import asyncio
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Running, cpu_seconds, rss_mb, wait_for_port

KEY = "sk-bench-0123456789abcdef0123456789abcdef0123456789"


@dataclass
class Unigate:
    """One gateway process tree: where it listens, its worker, how long it took to start."""

    port: int
    pid: int
    worker: int
    start_seconds: float
    data: Path

    def cpu(self) -> float:
        """CPU seconds of the worker."""
        return cpu_seconds(self.worker)

    def memory(self) -> float:
        """Resident MB of the worker."""
        return rss_mb(self.worker)


def config(upstream: str, directory: Path) -> Path:
    """A configuration with everything on: key, limits, prices, ledger, usage rows, metrics."""
    path = directory / "gateway.yaml"
    path.write_text(
        f"""server: {{allow_private_upstreams: true}}
secret: bench-secret-bench-secret
channels:
  - name: mock
    provider: openai
    base_url: {upstream}
    credentials: sk-upstream
    models: [gpt-4o-mini]
    options: {{tls_verify: false}}
prices: [{{model: gpt-4o-mini, input: 0.15, cached_input: 0.075, output: 0.60}}]
users: [{{name: bench, email: bench@example.com, credit: 100000}}]
keys: [{{name: bench, user: bench, secret: {KEY}, budget: {{total: 50000}}, limits: {{rpm: 6000000, tpm: 0, concurrency: 10000}}}}]
"""
    )
    return path


def start_unigate(run: Running, upstream: str, port: int, core: int, directory: Path, *, program: str = "") -> Unigate:
    """Start `unigate serve`, or another program in its place, on one core and wait until it answers."""
    directory.mkdir(parents=True, exist_ok=True)
    file = config(upstream, directory)
    command = [
        sys.executable,
        *([program] if program else ["-m", "unigate"]),
        "serve",
        "--config",
        str(file),
        "--port",
        str(port),
    ]
    command += ["--data", str(directory / "data")]
    began = time.monotonic()
    pid = run.start(command, core=core, log=directory / "unigate.log")
    wait_until_ready(port)
    seconds = time.monotonic() - began
    return Unigate(port, pid, _worker(directory / "data" / "run"), seconds, directory / "data")


def _worker(run: Path, seconds: float = 10.0) -> int:
    """The worker's process: it leaves its figures under its number a moment after it serves."""
    end = time.monotonic() + seconds
    while not (found := list(run.glob("figures-*.json"))):
        if time.monotonic() > end:
            raise RuntimeError("the worker left no figures")
        time.sleep(0.02)
    return int(found[0].stem.removeprefix("figures-"))


def wait_until_ready(port: int, seconds: float = 60.0) -> None:
    """Wait until `/readyz` says so."""
    wait_for_port(port, seconds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as reply:
                if reply.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the gateway did not become ready")


async def usage(data: Path) -> tuple[int, int, int]:
    """Rows of usage, and sums of input and output tokens, as the database has them."""
    command = [sys.executable, "-c", _COUNT, str(data / "unigate.db")]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    rows, taken, given = out.split()
    return int(rows), int(taken), int(given)


_COUNT = """
import json, sqlite3, sys
rows = taken = given = 0
for units, n in sqlite3.connect(sys.argv[1]).execute("select units, count(*) from usage where ended = 'completed' group by units"):
    units = json.loads(units)
    rows += n; taken += units.get("input", 0) * n; given += units.get("output", 0) * n
print(rows, taken, given)
"""


def start_litellm(run: Running, upstream: str, port: int, core: int, directory: Path) -> int | None:
    """Start LiteLLM's proxy from its package in an environment of its own; None where it cannot be had."""
    home = Path(".bench") / "litellm"
    program = home / "bin" / "litellm"
    if not program.exists():
        done = subprocess.run([sys.executable, "-m", "venv", str(home)], check=False)
        if done.returncode == 0:
            done = subprocess.run([str(home / "bin/pip"), "install", "-q", "litellm[proxy]"], check=False)
        if done.returncode != 0:
            return None
    file = directory / "litellm.yaml"
    file.write_text(
        f"""model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "{upstream}", api_key: sk-upstream}}
general_settings: {{master_key: {KEY}}}
"""
    )
    pid = run.start(
        [str(program.resolve()), "--config", str(file), "--port", str(port), "--num_workers", "1"],
        core=core,
        log=directory / "litellm.log",
    )
    wait_for_port(port, 120)
    return pid
