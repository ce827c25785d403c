"""Run a program and say clearly what went wrong when it fails."""

import subprocess


class CommandError(RuntimeError):
    """A program failed; the message holds the command and what it said."""


def run(*command, check=True, input=None, timeout=60, cwd=None) -> str:
    """Run ``command`` without a shell and return its standard output, stripped."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=cwd,
            stdin=subprocess.DEVNULL if input is None else None,
        )
    except FileNotFoundError as error:
        raise CommandError(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{' '.join(words)}: no answer within {timeout} s") from error
    if check and done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise CommandError(f"{' '.join(words)}: {said}")
    return done.stdout.strip()


def succeeds(*command, timeout=60) -> bool:
    try:
        run(*command, timeout=timeout)
    except CommandError:
        return False
    return True
