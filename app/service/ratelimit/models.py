from django.db import connection, models


class Count(models.Model):
    """Requests of one client in one window of time, counted by all workers of all hosts."""

    key = models.CharField(max_length=100)
    window = models.BigIntegerField(help_text="Number of the window since 1970")
    hits = models.PositiveIntegerField(default=0)
    expires = models.BigIntegerField(help_text="Seconds since 1970", db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "window"], name="one_count")]

    def __str__(self) -> str:
        return f"{self.key} {self.hits}"

    @classmethod
    def add(cls, key: str, window: int, expires: int, amount: int) -> int:
        """Count more and return the number so far, in one statement: nothing is ever lost."""
        table = connection.ops.quote_name(cls._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(
                f'INSERT INTO {table} (key, "window", hits, expires) VALUES (%s, %s, %s, %s) '  # noqa: S608
                f'ON CONFLICT (key, "window") DO UPDATE SET hits = {table}.hits + excluded.hits '
                "RETURNING hits",
                [key, window, amount, expires],
            )
            return cursor.fetchone()[0]
