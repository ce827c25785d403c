"""The guide: the project's pages, and what its data draws, as a static site (`make guide`)."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
