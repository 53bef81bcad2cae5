"""What is sealed opens for its owner only, and nothing shows a secret."""

from __future__ import annotations

import base64
import copy
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_api.errors import InputError
from streammonitor_api.sealing import (
    Credentials,
    FleetKey,
    SealingError,
    TargetSecrets,
    decode_secret,
    generate_key,
    load_key,
    read_key,
)

STREAM = "prod/sports/ch4"
KEY = generate_key()
PASSWORD = "hunter2-geheim"  # noqa: S105  # of nobody


def data(**values: str) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


@given(secret=st.text(), bound_to=st.text())
def test_sealed_text_opens_for_its_owner(secret: str, bound_to: str) -> None:
    key = FleetKey(KEY)

    sealed = key.seal(secret, bound_to)

    assert key.unseal(sealed, bound_to) == secret
    assert sealed.isascii()


def test_sealed_text_holds_nothing_in_clear() -> None:
    sealed = FleetKey(KEY).seal(PASSWORD, STREAM)

    assert PASSWORD not in sealed
    assert PASSWORD.encode() not in base64.urlsafe_b64decode(sealed.removeprefix("siv1."))


def test_same_secret_is_sealed_the_same_for_the_same_stream_only() -> None:
    key = FleetKey(KEY)

    sealed = key.seal(PASSWORD, STREAM)

    assert FleetKey(KEY).seal(PASSWORD, STREAM) == sealed
    assert key.seal(PASSWORD, "prod/sports/ch5") != sealed
    assert FleetKey(generate_key()).seal(PASSWORD, STREAM) != sealed


def test_other_stream_cannot_open_it() -> None:
    key = FleetKey(KEY)

    with pytest.raises(SealingError, match="prod/sports/ch5: its credentials do not open"):
        key.unseal(key.seal(PASSWORD, STREAM), "prod/sports/ch5")


def test_other_key_cannot_open_it() -> None:
    sealed = FleetKey(KEY).seal(PASSWORD, STREAM)

    with pytest.raises(SealingError, match="do not open with this fleet key; give operator and"):
        FleetKey(generate_key()).unseal(sealed, STREAM)


@given(position=st.integers(0, 99), flip=st.integers(1, 255))
def test_damaged_text_does_not_open(position: int, flip: int) -> None:
    key = FleetKey(KEY)
    raw = bytearray(base64.urlsafe_b64decode(key.seal(PASSWORD, STREAM).removeprefix("siv1.")))
    raw[position % len(raw)] ^= flip

    with pytest.raises(SealingError):
        key.unseal("siv1." + base64.urlsafe_b64encode(raw).decode(), STREAM)


@pytest.mark.parametrize("text", ["", "siv1.", "siv1.é", "gAAAAA==", "siv1.AAAA"])
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(SealingError):
        FleetKey(KEY).unseal(text, STREAM)


def test_new_key_seals_and_old_one_still_opens() -> None:
    old, new = generate_key(), generate_key()
    before = FleetKey(old).seal(PASSWORD, STREAM)
    both = FleetKey(f"{new}\n{old}\n")

    assert both.unseal(before, STREAM) == PASSWORD
    assert FleetKey(new).unseal(both.seal(PASSWORD, STREAM), STREAM) == PASSWORD


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("", "fleet key: it is empty; make one with `openssl rand -base64 32`"),
        (PASSWORD, "fleet key: not 32 bytes in URL-safe base64 but 14 characters; make one"),
        (f"{KEY},{PASSWORD}", "fleet key 2 of 2: not 32 bytes"),
        (KEY[:-4], "fleet key: not 32 bytes in URL-safe base64 but 40 characters"),
        ("ключ" * 11, "fleet key: not 32 bytes"),
    ],
    ids=["empty", "a word", "the second is a word", "too short", "other letters"],
)
def test_wrong_key_is_told_but_not_shown(keys: str, told: str) -> None:
    with pytest.raises(InputError) as raised:
        FleetKey(keys)

    assert str(raised.value).startswith(told)
    assert PASSWORD not in str(raised.value)


def test_key_from_openssl_will_do() -> None:
    standard = base64.b64encode(bytes([251, 255] * 16)).decode()
    assert "+" in standard
    assert "/" in standard

    key = FleetKey(standard)

    assert key.unseal(key.seal(PASSWORD, STREAM), STREAM) == PASSWORD


def test_key_comes_from_variable_or_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n", encoding="ascii")
    sealed = FleetKey(KEY).seal(PASSWORD, STREAM)

    for environment in (
        {"STREAMMONITOR_FLEET_KEY": KEY},
        {"STREAMMONITOR_FLEET_KEY_FILE": str(path)},
    ):
        key = load_key(environment)
        assert key is not None
        assert key.unseal(sealed, STREAM) == PASSWORD
    assert load_key({}) is None
    with pytest.raises(InputError, match="are both set; keep one"):
        load_key({"STREAMMONITOR_FLEET_KEY": KEY, "STREAMMONITOR_FLEET_KEY_FILE": str(path)})


def test_file_that_is_no_key_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(InputError, match="key: cannot be read, No such file"):
        read_key(path)
    path.write_text("é", encoding="utf-8")
    with pytest.raises(InputError, match="key: not a fleet key; make one"):
        read_key(path)
    path.write_text("secret", encoding="ascii")
    with pytest.raises(InputError, match=r"key: fleet key: not 32 bytes"):
        read_key(path)


def test_key_is_neither_shown_nor_written_down() -> None:
    key = FleetKey(KEY)

    assert KEY not in f"{key!r}{key}"
    for write in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            write(key)


def test_credentials_are_read_from_a_secret() -> None:
    made = Credentials.from_secret(
        "Secret prod/cdn",
        data(
            username="admin", password=f"{PASSWORD}\n",
            header="X-Token:  abc", query="?token=a&b=c", other="x",
        ),
    )  # fmt: skip

    assert made == Credentials("admin", PASSWORD, ("X-Token", "abc"), "token=a&b=c")
    assert Credentials.from_json(made.as_json()) == made
    assert Credentials.from_json(Credentials(query="a").as_json()) == Credentials(query="a")


def test_credentials_are_not_shown() -> None:
    made = Credentials(PASSWORD, PASSWORD, ("X", PASSWORD), PASSWORD)

    assert PASSWORD not in f"{made!r}{made}{TargetSecrets(PASSWORD, PASSWORD, made)!r}"


def test_secrets_of_a_target_are_written_and_read() -> None:
    for made in (
        TargetSecrets(),
        TargetSecrets("https://hooks.example/geheim"),
        TargetSecrets("", "abc"),
        TargetSecrets("", "abc", Credentials(header=("Authorization", "Bearer x"))),
    ):
        assert TargetSecrets.from_json(made.as_json()) == made


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ({}, "no credentials, it is empty; set username and password, header, or query"),
        (data(bearer="x"), "no credentials, it has bearer; set username and password"),
        (data(username="", password=""), "no credentials, it has password, username; set"),
        (data(username="a"), "no key password; set username and password together"),
        (data(password=PASSWORD), "no key username; set username and password together"),
        (data(header=PASSWORD), "its key header is not a header; write NAME: VALUE"),
        (data(header=f"A: {PASSWORD}\r\nHost: x"), "its key header holds control characters"),
        (data(query=f"a={PASSWORD} b"), "its key query is not a query; write it as"),
        (data(query="?"), "its key query is not a query"),
        ({"query": "/w=="}, "its key query is not a text in UTF-8; set it anew"),
        ({"query": "!"}, "its key query is not a text in UTF-8; set it anew"),
    ],
)
def test_wrong_secret_is_told_but_not_shown(secret: dict[str, str], told: str) -> None:
    with pytest.raises(InputError) as raised:
        Credentials.from_secret("Secret prod/cdn", secret)

    assert str(raised.value).startswith(f"Secret prod/cdn: {told}")
    assert PASSWORD not in str(raised.value)


def test_single_key_of_a_secret_is_read() -> None:
    assert decode_secret("Secret a/b", "key", data(key="abc\n")) == "abc"
    with pytest.raises(InputError, match="Secret a/b: no key key, it has other; add it, or name"):
        decode_secret("Secret a/b", "key", data(other="abc"))
    with pytest.raises(InputError, match="Secret a/b: its key key is empty; set it"):
        decode_secret("Secret a/b", "key", data(key="\n"))
