"""nginx in its three parts: instant mock, plain proxy in front of it, and the mock over TLS."""

import json
import subprocess
from pathlib import Path

USAGE = {"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 23}
ANSWER = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1750000000,
        "model": "gpt-4o-mini",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "All is well, thank you."},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
)

_CONF = """
daemon off; worker_processes 1; pid {dir}/{name}.pid; error_log {dir}/{name}.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_body_buffer_size 64k;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  types {{ }} default_type application/json;
  {body}
}}
"""


def mock(port: int, tls_port: int, directory: Path) -> list[str]:
    """The command of an instant mock, plain and over TLS."""
    certificate(directory)
    quoted = ANSWER.replace("'", "")
    body = f"""server {{
      listen 127.0.0.1:{port} backlog=4096 reuseport; listen 127.0.0.1:{tls_port} ssl;
      ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem;
      location / {{ return 200 '{quoted}'; }}
    }}"""
    return _command("mock", body, directory)


def proxy(port: int, upstream: int, directory: Path, *, tls: bool = False) -> list[str]:
    """The command of a plain reverse proxy, unbuffered, with kept connections."""
    body = f"""upstream up {{ server 127.0.0.1:{upstream}; keepalive 2048; keepalive_requests 100000000; }}
    server {{ listen 127.0.0.1:{port} backlog=4096;
      location / {{ proxy_pass {"https" if tls else "http"}://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
    }}"""
    return _command(f"proxy{upstream}", body, directory)


def certificate(directory: Path) -> Path:
    """A certificate for 127.0.0.1, made once per run."""
    path = directory / "cert.pem"
    if not path.exists():
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
                *("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", str(directory / "key.pem"), "-out", str(path)),
            ],
            check=True,
            capture_output=True,
        )
    return path


def _command(name: str, body: str, directory: Path) -> list[str]:
    path = directory / f"{name}.conf"
    path.write_text(_CONF.format(dir=directory, name=name, body=body))
    return ["nginx", "-c", str(path), "-p", str(directory), "-e", str(directory / f"{name}.err")]
