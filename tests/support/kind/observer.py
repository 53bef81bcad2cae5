"""Runs in a pod: notes when each worker decoded pictures of each stream, and takes notifications.

It asks workers themselves, five times a second, so that what a test measures rests on nothing that
is under test: no Redis, no operator, and not the API server but for the workers' addresses, of
which it keeps the last that it was told. Standard library only: it is one file in a ConfigMap.

    GET /seen              {stream: [[worker, epoch, state, picture, media_s, seen], …]}
    GET /notifications     [[time, path, body], …]
    POST anything          is a notification
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

ASK_EVERY_S = 0.2
LIST_EVERY_S = 0.5
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Notes:
    """Everything that was seen."""

    def __init__(self) -> None:
        self.seen: dict[str, list[list[Any]]] = {}
        self.notifications: list[list[Any]] = []
        self._last: dict[tuple[str, str], list[Any]] = {}

    def note(self, shown: dict[str, Any], seen: float) -> None:
        """Take what a worker shows of its streams."""
        for row in shown["streams"]:
            if row["last_picture_wall"] is None:
                continue
            picture = datetime.fromisoformat(row["last_picture_wall"]).timestamp()
            news = [shown["worker"], row["epoch"], row["state"], picture, row["media_s"]]
            key = shown["worker"], row["stream"]
            if self._last.get(key) != news:
                self._last[key] = news
                self.seen.setdefault(row["stream"], []).append([*news, seen])


class Watcher:
    """Asks one worker, until its address is not listed any more."""

    def __init__(self, address: str, notes: Notes) -> None:
        self.address, self.notes, self.ended = address, notes, threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self.ended.wait(ASK_EVERY_S):
            try:
                connection = connection or http.client.HTTPConnection(self.address, 8080, timeout=1)
                connection.request("GET", "/streams")
                shown = json.load(connection.getresponse())
                self.notes.note(shown, time.time())
            except (OSError, ValueError, http.client.HTTPException):
                connection = None  # it starts, ends or is dead: what it told last stands


def worker_addresses(namespace: str) -> set[str]:
    """Where the workers' pods are, as the API server lists them."""
    token = (ACCOUNT / "token").read_text(encoding="utf-8")
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    query = "labelSelector=app.kubernetes.io/component%3Dworker"
    url = f"https://{host}/api/v1/namespaces/{namespace}/pods?{query}"
    request = Request(url, headers={"Authorization": f"Bearer {token}"})
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urlopen(request, timeout=2, context=trust) as reply:  # noqa: S310  https
        pods = json.load(reply)["items"]
    return {pod["status"]["podIP"] for pod in pods if pod["status"].get("podIP")}


def follow_workers(namespace: str, notes: Notes) -> None:
    watchers: dict[str, Watcher] = {}
    while True:
        try:
            addresses = worker_addresses(namespace)
        except (OSError, ValueError):
            addresses = set(watchers)  # those that were known
        for address in addresses - watchers.keys():
            watchers[address] = Watcher(address, notes)
        for address in watchers.keys() - addresses:
            watchers.pop(address).ended.set()
        time.sleep(LIST_EVERY_S)  # the pace of its questions: nothing is awaited here


def main() -> None:
    notes = Notes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = notes.notifications if self.path == "/notifications" else notes.seen
            self.reply(json.dumps(content).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            notes.notifications.append([time.time(), self.path, json.loads(body)])
            self.reply(b"{}")

        def reply(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Requests are no news."""

    follow = threading.Thread(
        target=follow_workers, args=(os.environ["WORKER_NAMESPACE"], notes), daemon=True
    )
    follow.start()
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()


if __name__ == "__main__":
    main()
