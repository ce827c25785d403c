"""The API against its own OpenAPI description, by schemathesis, on the running service."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_api_keeps_what_its_description_says(sqlite_site):
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            f"--config-file={HERE / 'schemathesis.toml'}",
            "run", f"{sqlite_site.url}/api/openapi.json",
            "--seed=1", "--max-examples=20", "--max-time=30", "--warnings=off", "--no-color",
            "--generation-database=none",
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[:8000]
    assert "7 selected / 7 total" in done.stdout
