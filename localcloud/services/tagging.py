"""Resource Groups Tagging API: what moto remembers of lists that have more pages is no state."""

from localcloud.services.base import Service


class Pages(dict):
    """The rest of lists by their tokens: generators, which nothing can save.

    A token is of no use after a restart, as on AWS after some minutes.
    """

    def __reduce__(self):
        return Pages, ()


class Tagging(Service):
    def adopt(self) -> list[str]:
        self.cloud.backend("resourcegroupstaggingapi")._pages = Pages()
        return []
