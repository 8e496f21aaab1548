"""The list of tests, the ways in which a test can fail, and the loop that runs them."""

import re
import time
from dataclasses import dataclass
from threading import Thread
from typing import Callable

MESSAGE_LIMIT = 600
GROUPS = ("1.1", "dev", "larder")


class Failure(Exception):
    """The registry did not do what was demanded; the text says both."""


class NotReached(Failure):
    """The demand could not be tried, because something it builds on failed."""

    def __init__(self, reason):
        super().__init__(f"not reached: {reason}")


class StoredAnyway(Failure):
    """A demand was not met, but the content is in the registry and can be looked at."""


class NoAnswer(Exception):
    """The connection failed or what came over it is not HTTP."""


@dataclass(frozen=True)
class Test:
    name: str
    group: str
    action: Callable


@dataclass(frozen=True)
class Result:
    name: str
    group: str
    message: str | None

    @property
    def passed(self):
        return self.message is None


class Suite:
    """The tests in the order in which they run. Clean-ups stand between them and are never counted."""

    def __init__(self):
        self.entries = []

    def add(self, name, group, action):
        assert group in GROUPS, group
        self.entries.append(Test(name, group, action))

    def test(self, name, group):
        def register(action):
            self.add(name, group, action)
            return action
        return register

    def add_cleanup(self, action):
        self.entries.append(action)

    def selected(self, prefix, groups):
        return [entry for entry in self.entries
                if not isinstance(entry, Test) or (entry.name.startswith(prefix) and entry.group in groups)]

    def run(self, registry, prefix, groups, report):
        """Runs the selected tests one after another and hands each result to `report` at once."""
        for entry in self.selected(prefix, groups):
            if isinstance(entry, Test):
                report(Result(entry.name, entry.group, one_line(failure_of(entry, registry))))
            else:
                clean_up(entry, registry)


suite = Suite()


def failure_of(test, registry):
    """What the test has to complain of, or nil."""
    try:
        test.action(registry)
    except Failure as failure:
        return str(failure)
    except (NoAnswer, OSError) as error:
        return f"demanded an answer, there was none: {error}"
    except Exception as error:  # A mistake in this program must not end the run of the others.
        return f"the test itself broke: {type(error).__name__}: {error}{place_of(error)}"
    return None


def clean_up(action, registry):
    try:
        action(registry)
    except (Failure, NoAnswer, OSError):
        pass  # The tests of deletion report what cannot be deleted.


def place_of(error):
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""


def one_line(message):
    """The message as a line that can be read, whatever a registry has put into it; nil stays nil."""
    if message is None:
        return None
    text = "".join(letter if letter.isprintable() else " " for letter in message)
    text = shortened(" ".join(text.split()))
    return text if len(text) <= MESSAGE_LIMIT else text[:MESSAGE_LIMIT] + "…"


def shortened(text):
    """Cuts hashes and long words."""
    text = re.sub(r"([0-9a-f]{12})[0-9a-f]{20,}", r"\1…", text)
    return re.sub(r"(\S{120})\S+", r"\1…", text)


class Step:
    """Something that happens once in a run and that several tests build on."""

    def __init__(self, name, action):
        self.name = name
        self.action = action
        self.done = False
        self.value = None
        self.error = None

    def run(self, registry):
        """The value of the step; fails as the step failed, each time."""
        if not self.done:
            self.done = True
            try:
                self.value = self.action(registry)
            except (Failure, NoAnswer, OSError) as error:
                self.error = error
        if self.error is not None:
            raise self.error
        return self.value

    def require(self, registry):
        """As `run`, for the tests that build on the step."""
        try:
            return self.run(registry)
        except StoredAnyway:
            return self.value
        except (Failure, NoAnswer, OSError) as error:
            raise NotReached(f"{self.name}: {error}") from None


class preparing:
    """Inside it a failure means that the test was not reached."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, (Failure, NoAnswer, OSError)) and not isinstance(error, NotReached):
            raise NotReached(str(error)) from None
        return False


def demand(condition, message):
    if not condition:
        raise Failure(message)


def together(count, action):
    """Runs the action in so many threads and gives what each returned; fails as one of them failed."""
    results, errors = [None] * count, []

    def run(number):
        try:
            results[number] = action(number)
        except (Failure, NoAnswer, OSError) as error:
            errors.append(error)

    threads = [Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def wait_until(condition, seconds):
    """Polls until the condition gives something true, and returns that; nil after the time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value or None
        time.sleep(0.05)
