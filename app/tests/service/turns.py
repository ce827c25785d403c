"""Threads that take turns: before each call of a store one of those that wait is drawn by lot, so a
seed is an order of things, and many seeds are many orders."""

import random
import threading


class Turns:
    def __init__(self, seed: int):
        self.lot, self.state = random.Random(seed), threading.Condition()
        self.running, self.waiting, self.drawn, self.errors = set(), set(), None, []

    def run(self, *tasks) -> None:
        threads = [
            threading.Thread(target=self.task, args=[task], name=f"{number:03d}")
            for number, task in enumerate(tasks)
        ]
        self.running = set(threads)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        if self.errors:
            raise self.errors[0]

    def task(self, do) -> None:
        try:
            do()
        except Exception as error:
            self.errors.append(error)
        finally:
            with self.state:
                self.running.discard(threading.current_thread())
                self.draw()

    def draw(self) -> None:
        """When all that run wait, one goes on."""
        if self.drawn is None and self.running and self.waiting == self.running:
            ordered = sorted(self.waiting, key=lambda thread: thread.name)
            self.drawn = self.lot.choice(ordered)
            self.state.notify_all()

    def wait(self) -> None:
        me = threading.current_thread()
        if me not in self.running:
            return
        with self.state:
            self.waiting.add(me)
            self.draw()
            assert self.state.wait_for(lambda: self.drawn is me, timeout=20)
            self.waiting.discard(me)
            self.drawn = None


class InTurns:
    """A store whose every call waits for its turn."""

    def __init__(self, store, turns: Turns):
        self.store, self.turns = store, turns
        self.at_once, self.about_how_many = store.at_once, store.about_how_many

    def all(self):
        for batch in self.store.all():
            self.turns.wait()
            yield batch

    def __getattr__(self, name):
        def call(*arguments, **options):
            self.turns.wait()
            return getattr(self.store, name)(*arguments, **options)

        return call
