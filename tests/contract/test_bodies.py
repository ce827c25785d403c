"""Pictures as older and simpler programs send them."""

import pytest

BOUNDARY = "b0undary"


def form(face: bytes, name: bytes) -> list[bytes]:
    """A multipart body, in pieces."""
    head = b'Content-Disposition: form-data; name="%b"'
    return [
        b"--b0undary\r\n" + head % b"unlisted" + b"\r\n\r\ntrue\r\n",
        b"--b0undary\r\n" + head % b"image" + b'; filename="' + name + b'"\r\n\r\n',
        face[: len(face) // 2],
        face[len(face) // 2 :],
        b"\r\n--b0undary--\r\n",
    ]


class Chunks:
    """A body that tells no length, from its beginning at every try."""

    def __init__(self, parts: list[bytes]):
        self.parts = parts

    def __iter__(self):
        return iter(self.parts)


def send(visitor, body) -> dict:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = visitor.patient("POST", "/api/pictures", data=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    visitor.site.tokens[made["id"]] = made["token"]
    return made


def test_a_picture_whose_length_nobody_knew_beforehand(visitor, face):
    made = send(visitor, Chunks(form(face, b"me.jpg")))
    assert made["faces"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_name_in_any_encoding(visitor, face, encoding):
    assert send(visitor, b"".join(form(face, "München.jpg".encode(encoding))))["faces"]
