"""What can be wrong with a picture. Every message is one sentence for the person who sent it."""


class PictureError(Exception):
    """The picture cannot be used; the message says why."""


class NotAPicture(PictureError):
    """The bytes are no picture of any kind."""

    def __init__(self) -> None:
        super().__init__("This is not a picture.")


class Truncated(PictureError):
    """The picture is incomplete or damaged."""

    def __init__(self) -> None:
        super().__init__("The picture is incomplete or damaged.")


class TooManyBytes(PictureError):
    """The file is larger than the limit."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The file has {size / 1e6:.1f} MB, more than the {limit / 1e6:g} MB allowed."
        )


class TooManyPixels(PictureError):
    """The picture, or an animation's frames together, would take too much memory or time."""


class TookTooLong(PictureError):
    """The deadline passed before the picture was done; what was made of it is thrown away."""

    def __init__(self) -> None:
        super().__init__("The picture takes too long to work on.")


class UnsupportedKind(PictureError):
    """A picture or document of a kind that is not read."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind} files are not supported; use JPEG, PNG, WebP, AVIF or GIF.")


class UnknownStyle(LookupError):
    """No style has this name."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"There is no style {self.name!r}; choose from {', '.join(self.known)} or random."
