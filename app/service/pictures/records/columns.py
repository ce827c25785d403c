"""What databases are asked for in their own words."""

from django.db.models import Func, UUIDField

POSTGRESQL = """
encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing
substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
""".replace("\n", " ").strip()
SQLITE = """
lower(printf(char(37) || '012x', cast((julianday('now') - 2440587.5) * 86400000 as integer))
|| '7' || substr(hex(randomblob(2)), 2) || '8' || substr(hex(randomblob(8)), 2))
""".replace("\n", " ").strip()


class UUID7(Func):
    """A UUID of version 7 that the database makes: for rows of a release that knows none."""

    arity = 0
    template = POSTGRESQL
    output_field = UUIDField()

    def as_sqlite(self, compiler, connection, **context):
        return self.as_sql(compiler, connection, template=SQLITE, **context)
