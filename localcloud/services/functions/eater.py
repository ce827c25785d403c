"""A program that eats memory in another's control group until the kernel ends that other one.

python eater.py PID FILE...      FILE takes the ids of processes that join the group
"""

import mmap
import os
import select
import sys
from pathlib import Path

BITE = 16 << 20
FIRST = "1000"
"""Whom the kernel ends before all others of the group, however little he has eaten."""


def main() -> None:
    victim = os.pidfd_open(int(sys.argv[1]))
    Path(f"/proc/{sys.argv[1]}/oom_score_adj").write_text(FIRST)
    for group in sys.argv[2:]:
        Path(group).write_text(str(os.getpid()))
    eaten = []
    poll = select.poll()
    poll.register(victim, select.POLLIN)
    while not poll.poll(0):
        # populated: in memory at once
        eaten.append(
            mmap.mmap(-1, BITE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
        )


if __name__ == "__main__":
    main()
