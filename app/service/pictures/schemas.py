"""The API's bodies. Coordinates are pixels of the picture as displayed; angles run clockwise."""

from datetime import datetime
from typing import Annotated

from ninja import Field, Schema

Point = Annotated[list[float], Field(min_length=2, max_length=2, examples=[[212.5, 180.0]])]


class Mustache(Schema):
    center: Point
    width: float
    angle_degrees: float


class Face(Schema):
    """One face. Right and left are the person's own."""

    box: Annotated[list[float], Field(min_length=4, max_length=4, description="x, y, w, h")]
    right_eye: Point
    left_eye: Point
    nose: Point
    mouth_right: Point
    mouth_left: Point
    roll_degrees: float
    score: float
    mustache: Mustache


class PictureOut(Schema):
    id: str
    url: str = Field(description="The page to share")
    original_url: str
    mustached_url: str
    style: str
    width: int
    height: int
    faces: list[Face]


class CreatedOut(PictureOut):
    token: str = Field(description="Deletes this picture; shown only this once")


class OfferOut(Schema):
    key: str = Field(description="What POST /api/pictures takes instead of the picture; a secret")
    url: str = Field(description="Where to POST the form; any 2xx is a yes")
    fields: dict[str, str] = Field(
        description="Fields of the form, before its last: the picture, as `file`"
    )
    max_bytes: int = Field(description="The largest picture that is taken")
    expires: datetime


class PageOut(Schema):
    pictures: list[PictureOut]
    next: str | None = Field(description="The cursor of the next page; null on the last one")


class StyleOut(Schema):
    name: str
    title: str
    preview_url: str = Field(description="A drawing of it, WebP with alpha")


class StylesOut(Schema):
    styles: list[StyleOut]


class ErrorOut(Schema):
    error: str = Field(description="A name for programs", examples=["not_found"])
    detail: str = Field(description="A sentence for people")
