"""What runs: a function's version as it was when it was made ready, and AWS's limits."""

import re
from dataclasses import dataclass

RUNTIME = "python3.13"
ARCHITECTURE = "x86_64"
SERVICE = "lambda.amazonaws.com"
LATEST = "$LATEST"

MIB = 1 << 20
PAYLOAD = 6 * MIB
"""Of a request that waits for its answer, and of an answer (which may have 100 bytes more)."""
ANSWER = PAYLOAD + 100
EVENT = MIB
"""Of a request that does not wait."""
UPLOAD = 69_905_067
"""Of a request with a zip of 50 MB, which base64 makes longer by a third."""
UNZIPPED = 262_144_000
VARIABLES = 4096
INIT_SECONDS = 10
MEMORY = (128, 10240)
TIMEOUT = (1, 900)
STORAGE = (512, 10240)
MEMORY_OF_A_CPU = 1769
CONCURRENCY = 1000
"""Of the account; a hundred of them are never reserved."""
UNRESERVED = 100

NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")


@dataclass(frozen=True)
class Plan:
    """All that an environment is made of: two that differ need an environment each."""

    function: str
    version: str
    arn: str
    digest: str
    handler: str
    role: str
    memory: int
    timeout: int
    storage: int
    variables: tuple[tuple[str, str], ...]

    @property
    def group(self) -> str:
        """Its group in CloudWatch Logs."""
        return f"/aws/lambda/{self.function}"
