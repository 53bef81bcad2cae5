"""The allowlist of addresses, and what of them is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.url import NETWORK_SCHEMES, parse, redact


@pytest.mark.parametrize(
    "url",
    [
        "concat:/etc/passwd|/etc/hosts",
        "subfile,,start,0,end,9,,:/etc/passwd",
        "data:video/mp4;base64,AAAA",
        "pipe:0",
        "gopher://host/1",
        "ftp://host/clip.mp4",
        "crypto:file:///etc/passwd",
        "srt://host:9000",
        "javascript:alert(1)",
    ],
)
def test_protocol_outside_the_allowlist_is_refused_for_good(url: str) -> None:
    with pytest.raises(SourceError, match="not allowed") as caught:
        parse(url, local_files=False)

    assert caught.value.permanent


@pytest.mark.parametrize("url", ["clip.mp4", "/media/clip.mp4", "file:///media/clip.mp4"])
def test_local_file_is_refused_where_files_are_not_allowed(url: str) -> None:
    with pytest.raises(SourceError, match="files of this machine are not allowed"):
        parse(url, local_files=False)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("clip.mp4", "clip.mp4"),
        ("file:///media/a%20b.ts", "/media/a b.ts"),
        ("file:/media/clip.ts", "/media/clip.ts"),
    ],
)
def test_local_path_is_found_in_the_address(url: str, path: str) -> None:
    assert parse(url, local_files=True).path == Path(path)


def test_file_whose_name_looks_like_a_protocol_is_a_file(tmp_path: Path) -> None:
    clip = tmp_path / "a:b.ts"
    clip.touch()

    assert parse(str(clip), local_files=True).path == clip


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http:///path", "names no host"),
        ("udp://239.0.0.1", "names no port"),
        ("tcp://host", "names no port"),
        ("http://host:99999/", "not an address"),
        ("http://[::1/", "not an address"),
        ("http://user:pa/ss@host/", "not an address"),
        ("http://two words/", "holds a space"),
        ("http://host/a\r\nHost: other", "control characters"),
    ],
)
def test_malformed_address_is_refused_for_good(url: str, wrong: str) -> None:
    with pytest.raises(SourceError, match=wrong) as caught:
        parse(url, local_files=True)

    assert caught.value.permanent


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:pass@host/live.m3u8", "http://host/live.m3u8"),
        ("http://host/live.m3u8?token=abc&n=1", "http://host/live.m3u8?token=***&n=***"),
        ("http://host/live?justatoken", "http://host/live?***"),
        ("http://host/live.ts#fragment", "http://host/live.ts"),
        ("rtmp://user:p@ss@host/app/key", "rtmp://host/app/key"),
        ("clip?.mp4", "clip?.mp4"),
        ("http://user:pa/ss@host/live.m3u8", "http://host/live.m3u8"),
        ("http://user:pa#ss@host/live.m3u8", "http://host/live.m3u8"),
        ("http://host/a@2/live.m3u8", "http://host/a@2/live.m3u8"),
        ("http://[::1]:80/a@2", "http://[::1]:80/a@2"),
        ("srt://user:pass@host?passphrase=x", "srt://host?passphrase=***"),
    ],
)
def test_redacted_address_shows_no_secret(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_redacted_address_is_one_short_printable_line() -> None:
    shown = redact("clip\x1b[31m\n" + "x" * 1000)

    assert shown.isprintable()
    assert len(shown) <= 200


_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=12)


@given(st.sampled_from(NETWORK_SCHEMES), _WORD, _WORD, _WORD)
def test_redaction_never_lets_a_secret_through(scheme: str, user: str, word: str, key: str) -> None:
    shown = redact(f"{scheme}://u-{user}:p-{word}@host:1/path?signature=k-{key}")

    assert f"u-{user}" not in shown
    assert f"p-{word}" not in shown
    assert f"k-{key}" not in shown


def test_malformed_address_does_not_show_the_password() -> None:
    with pytest.raises(SourceError) as caught:
        parse("http://user:sec/ret@host/", local_files=True)

    assert "sec" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "credentials"),
    [
        ("http://host/", None),
        ("http://user@host/", ("user", "")),
        ("http://us%40er:pa%3Ass@host/", ("us@er", "pa:ss")),
    ],
)
def test_credentials_are_taken_from_the_address(
    url: str, credentials: tuple[str, str] | None
) -> None:
    assert parse(url, local_files=False).credentials == credentials
