"""A TCP proxy on loopback that can fail as networks do: cut off, or silently dead."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Proxy:
    """Hands on connections to another port.

    `freeze` lets what is connected hang, without a word to either side, and new connections pass.
    `cut` ends everything and refuses what is new, until `restore`.
    """

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket, threading.Event]] = []
        self._is_cut = False
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        with self._lock:
            for *_, frozen in self._pairs:
                frozen.set()

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            self._drop()

    def restore(self) -> None:
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        for near, far, _ in self._pairs:
            for one in (near, far):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _accept(self) -> None:
        while not self._closing:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._is_cut:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(self._target)
                except OSError:
                    near.close()
                    continue
                pair = (near, far, threading.Event())
                self._pairs.append(pair)
            threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket, frozen: threading.Event) -> None:
        with selectors.DefaultSelector() as selector, near, far:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select():
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    try:
                        data = source.recv(65_536)
                        if frozen.is_set():
                            frozen_until_dropped(source)
                            return
                        if not data:
                            return
                        key.data.sendall(data)
                    except OSError:
                        return


def frozen_until_dropped(source: socket.socket) -> None:
    """Take in whatever comes, and answer nothing."""
    with contextlib.suppress(OSError):
        while source.recv(65_536):
            pass


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
