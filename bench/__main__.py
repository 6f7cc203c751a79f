"""Run the benchmark: `python -m bench [--quick] [--no-litellm]`. Prints a table, writes bench/results.json.

All figures are of one run on one machine, gateways pinned to core 0, mock and load to core 1. A run is void where
usage rows and replies differ, or where the ledger does not add up.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import gateways, nginx, streams, uploads, usage_pages
from bench.load import Load, wrk
from bench.processes import Running, cpu_seconds, family, free_port, rss_mb, wait_for_port, write_json

GATEWAY, LOAD = 0, 1
CHUNKS, RATE = 100, 50.0


class Bench:
    """One run: its processes, its directory, its findings."""

    def __init__(self, *, quick: bool, litellm: bool) -> None:
        self.quick, self.litellm = quick, litellm
        self.seconds = 3 if quick else 8
        self.rounds = 1 if quick else 3
        self.home = Path(tempfile.mkdtemp(prefix="unigate-bench-"))
        self.home.chmod(0o755)
        for name in ("body", "proxy"):
            (self.home / name).mkdir(mode=0o777)
        self.run = Running()
        self.found: dict[str, Any] = {}
        self.void: list[str] = []

    def start(self) -> None:
        """The mock (plain, TLS) and nginx as plain proxy."""
        self.mock, self.tls, self.proxy = free_port(), free_port(), free_port()
        self.run.start(nginx.mock(self.mock, self.tls, self.home), core=LOAD, log=self.home / "log")
        self.run.start(nginx.proxy(self.proxy, self.mock, self.home), core=GATEWAY, log=self.home / "log")
        wait_for_port(self.mock)
        wait_for_port(self.proxy)

    def load(self, port: int, connections: int) -> Load:
        """The chat load against one port."""
        url = f"http://127.0.0.1:{port}"
        return wrk(url, gateways.KEY, connections=connections, seconds=self.seconds, core=LOAD, directory=self.home)

    def throughput(self) -> None:
        """Requests a second at 32 connections and latency at one, in turns."""
        port = free_port()
        upstream = f"http://127.0.0.1:{self.mock}/v1"
        gate = gateways.start_unigate(self.run, upstream, port, GATEWAY, self.home / "plain")
        self.found["start_seconds_fresh"] = gate.start_seconds
        self.found["memory_idle_mb"] = gate.memory()
        self.load(port, 32)
        ports = {"nginx": self.proxy, "unigate": port, "direct": self.mock}
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in ports}
        sent = 0
        for _ in range(self.rounds):
            for name, where in ports.items():
                many, one = self.load(where, 32), self.load(where, 1)
                rows[name].append({"rate": many.rate, "p99_32": many.p99, "p50_1": one.p50, "p99_1": one.p99})
                if name == "unigate":
                    sent += many.replies + one.replies
                    self.bad("unigate", many.bad + one.bad)
        self.found["throughput"] = {
            name: {key: statistics.median(row[key] for row in some) for key in some[0]} for name, some in rows.items()
        }
        self.found["memory_after_load_mb"] = gate.memory()
        self.check(gate, at_least=sent)
        self.run.stop(gate.pid)
        again = gateways.start_unigate(self.run, upstream, port, GATEWAY, self.home / "plain")
        self.found["start_seconds_existing"] = again.start_seconds
        self.run.stop(again.pid)

    def over_tls(self) -> None:
        """The same to an upstream over TLS, gateway and nginx."""
        port, proxy = free_port(), free_port()
        command = nginx.proxy(proxy, self.tls, self.home, tls=True)
        pid = self.run.start(command, core=GATEWAY, log=self.home / "log")
        wait_for_port(proxy)
        upstream = f"https://127.0.0.1:{self.tls}/v1"
        gate = gateways.start_unigate(self.run, upstream, port, GATEWAY, self.home / "tls")
        self.load(port, 32)
        rates: dict[str, list[float]] = {"nginx": [], "unigate": []}
        for _ in range(self.rounds):
            rates["nginx"].append(self.load(proxy, 32).rate)
            rates["unigate"].append(self.load(port, 32).rate)
        self.found["tls"] = {name: statistics.median(some) for name, some in rates.items()}
        self.check(gate)
        self.run.stop(gate.pid)
        self.run.stop(pid)

    def streaming(self) -> None:
        """Paced streams: time to the first content, lateness of chunks, CPU per chunk; then 1,000 at once."""
        mock, proxy, port = free_port(), free_port(), free_port()
        command = [sys.executable, "-m", "bench.streams", str(mock), str(CHUNKS), str(RATE)]
        self.run.start(command, core=LOAD, log=self.home / "log")
        nginx_pid = self.run.start(nginx.proxy(proxy, mock, self.home), core=GATEWAY, log=self.home / "log")
        wait_for_port(mock)
        wait_for_port(proxy)
        gate = gateways.start_unigate(self.run, f"http://127.0.0.1:{mock}/v1", port, GATEWAY, self.home / "streams")
        self.found["streams"] = {}
        for count in (1, 200) if self.quick else (1, 200, 1000):
            for name, where, pids in (("nginx", proxy, family(nginx_pid)), ("unigate", port, [gate.worker])):
                before = sum(map(cpu_seconds, pids))
                seen = asyncio.run(streams.read_many(where, gateways.KEY, count, ramp=1.0 if count > 1 else 0.0))
                cpu = sum(map(cpu_seconds, pids)) - before
                row = dataclasses.asdict(seen) | {"cpu_us_per_chunk": cpu / max(1, seen.chunks) * 1e6}
                row["memory_mb"] = rss_mb(pids[-1])
                self.found["streams"][f"{name} {count}"] = row
                if seen.chunks != count * CHUNKS or seen.whole != count:
                    self.void.append(f"{name}: {count} streams brought {seen.chunks} chunks, {seen.whole} ended well")
        self.check(gate)
        self.run.stop(gate.pid)

    def uploads(self) -> None:
        """Large forms at once, to a vendor that takes them as they come and to one that does not."""
        self.found["uploads"] = {}
        for name, rate in (("quick vendor", 0), ("slow vendor", 2 << 20)):
            seen = uploads.run(self.run, self.home, gateway_core=GATEWAY, load_core=LOAD, rate=rate)
            self.found["uploads"][name] = dataclasses.asdict(seen)
            if seen.good != uploads.COUNT:
                self.void.append(f"{seen.good} of {uploads.COUNT} uploads arrived whole")

    def beside_litellm(self) -> None:
        """LiteLLM's proxy from its package, the same load."""
        port = free_port()
        upstream = f"http://127.0.0.1:{self.mock}/v1"
        pid = gateways.start_litellm(self.run, upstream, port, GATEWAY, self.home)
        if pid is None:
            self.found["litellm"] = "not to be had"
            return
        self.load(port, 1)
        many, one = self.load(port, 32), self.load(port, 1)
        self.found["litellm"] = {
            "rate": many.rate,
            "p50_1": one.p50,
            "p99_1": one.p99,
            "bad": many.bad + one.bad,
            "memory_mb": sum(rss_mb(each) for each in family(pid)),
        }
        self.run.stop(pid)

    def pages(self) -> None:
        """Lists and sums of usage over many rows, on both databases."""
        found = usage_pages.run(100_000 if self.quick else 1_000_000)
        self.void += found["void"]
        self.found["usage_pages"] = found

    def tasks(self) -> None:
        """Many tasks in flight on SQLite, in a process of their own that both cores may serve."""
        command = [sys.executable, "-m", "bench.tasks", "--tasks", "1000" if self.quick else "10000"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.void.append(f"tasks: {done.stderr[-300:]}")
            return
        found = self.found["tasks"] = json.loads(done.stdout)
        if found["ended"] < found["tasks"]:
            self.void.append(f"{found['ended']} of {found['tasks']} tasks ended")

    def check(self, gate: gateways.Unigate, at_least: int = 0) -> None:
        """The books: rows, tokens, and the ledger, once everything is moved."""
        rows, taken, given = self.settled(gate)
        if rows < at_least:
            self.void.append(f"{rows} usage rows for at least {at_least} replies")
        usage = nginx.USAGE
        if gate.data.parent.name != "streams" and (taken, given) != (
            rows * usage["prompt_tokens"],
            rows * usage["completion_tokens"],
        ):
            self.void.append(f"{rows} rows, but {taken} input and {given} output tokens")
        config = gate.data.parent / "gateway.yaml"
        command = [
            sys.executable,
            "-m",
            "unigate",
            "ledger",
            "check",
            "--config",
            str(config),
            "--data",
            str(gate.data),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.void.append(f"ledger check: {done.stdout[-300:]} {done.stderr[-300:]}")

    def settled(self, gate: gateways.Unigate) -> tuple[int, int, int]:
        """Usage once the mover has caught up."""
        last = asyncio.run(gateways.usage(gate.data))
        for _ in range(120):
            time.sleep(1)
            now = asyncio.run(gateways.usage(gate.data))
            if now == last:
                return now
            last = now
        return last

    def bad(self, name: str, count: int) -> None:
        """Replies that were not 2xx make a run void."""
        if count:
            self.void.append(f"{name}: {count} bad replies")


def table(found: dict[str, Any]) -> str:
    """The findings for people."""
    lines = ["", "| what | value | against |", "| --- | --- | --- |"]
    through = found["throughput"]
    ours, theirs, direct = through["unigate"], through["nginx"], through["direct"]
    ratio = ours["rate"] / theirs["rate"]
    lines.append(f"| requests/s, 32 connections | {ours['rate']:,.0f} | nginx {theirs['rate']:,.0f}: {ratio:.2f} |")
    for point in ("p50", "p99"):
        added, base = ours[f"{point}_1"] - direct[f"{point}_1"], theirs[f"{point}_1"] - direct[f"{point}_1"]
        lines.append(f"| added {point} at one connection, ms | {added:.3f} | nginx {base:.3f} |")
    if isinstance(found.get("litellm"), dict):
        lite = found["litellm"]
        times = ours["rate"] / max(lite["rate"], 0.001)
        lines.append(f"| requests/s of LiteLLM | {lite['rate']:,.0f} | unigate {times:,.0f} times as many |")
    if "tls" in found:
        tls = found["tls"]
        share = tls["unigate"] / tls["nginx"]
        lines.append(f"| requests/s over TLS | {tls['unigate']:,.0f} | nginx {tls['nginx']:,.0f}: {share:.2f} |")
    for name, row in found.get("streams", {}).items():
        text = f"first {row['first_p50_ms']:.2f} ms, late p50 {row['late_p50_ms']:.2f} p99 {row['late_p99_ms']:.2f} ms"
        lines.append(f"| streams: {name} | {text} | {row['cpu_us_per_chunk']:.1f} µs CPU per chunk |")
    for name, row in found.get("uploads", {}).items():
        lines.append(uploads.table_of(name, uploads.Uploads(**row)))
    lines.append(
        f"| worker memory, idle, MB | {found['memory_idle_mb']:.0f} | after load {found['memory_after_load_mb']:.0f} |"
    )
    lines += usage_pages.table_of(found["usage_pages"])
    if "tasks" in found:
        seen = found["tasks"]
        late = f"asked after p99 {seen['lag_ms']['p99']} ms late, {seen['memory_mb']} MB"
        rates = f"{seen['submits_per_second']} submits/s, {seen['fetches_per_second']:,} fetches/s"
        lines.append(f"| {seen['tasks']:,} tasks in flight | {rates} | {late} |")
    lines.append(f"| start, s | {found['start_seconds_existing']:.2f} | fresh {found['start_seconds_fresh']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Run everything and say what came out."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--quick", action="store_true", help="short runs, one round")
    parser.add_argument("--no-litellm", action="store_true", help="leave LiteLLM out")
    given = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("the benchmark needs two cores")
    bench = Bench(quick=given.quick, litellm=not given.no_litellm)
    try:
        bench.start()
        bench.throughput()
        bench.over_tls()
        bench.streaming()
        bench.uploads()
        if bench.litellm:
            bench.beside_litellm()
        bench.pages()
        bench.tasks()
    finally:
        bench.run.stop()
    bench.found["void"] = bench.void
    write_json(Path("bench/results.json"), bench.found)
    print(table(bench.found))
    if bench.void:
        raise SystemExit("VOID: " + "; ".join(bench.void))


if __name__ == "__main__":
    main()
