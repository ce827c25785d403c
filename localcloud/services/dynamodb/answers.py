"""Attributes go into an answer as they lie in a table.

moto asks each for every type that there is, under several names: four fifths of a scan's time.
"""

from moto.core.serialize import BaseJSONSerializer

from localcloud.hooks import hook
from localcloud.services.base import Service

# Types whose value is the same in a table and in JSON; those that may hold bytes are moto's.
PLAIN = {"S": str, "N": str, "BOOL": bool, "NULL": bool}


class Answers(Service):
    @hook(BaseJSONSerializer, "_serialize_type_structure", "self, serialized, value, shape, key")
    def attribute(self, original, serializer, serialized, value, shape, key):
        if shape.name == "AttributeValue" and _is_plain(value):
            serialized[key] = value
        else:
            original(serializer, serialized, value, shape, key)


def _is_plain(value) -> bool:
    if type(value) is not dict or len(value) != 1:
        return False
    [(name, held)] = value.items()
    return type(held) is PLAIN.get(name)
