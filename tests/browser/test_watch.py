"""watch(): responses of every kind -> events, or a defined end."""

import base64
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.pages import DONE, Answer, Script, SilentAnswer, Site, line, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[..., Site]

_WATCH = """async ([url, options]) => {
  const { watch } = await import("/workqueue.js");
  const log = globalThis.log = { events: [], connections: [], end: null };
  globalThis.stop = new AbortController();
  const onConnection = ({ state, retryIn, error }) => log.connections.push([state, retryIn, error && error.name]);
  globalThis.watching = watch(url, { ...options, signal: stop.signal, onConnection });
  (async () => {
    try {
      for await (const event of watching) log.events.push(event);
      log.end = { name: "end" };
    } catch (error) {
      log.end = { name: error.name, message: error.message, ...error };
    }
  })();
}"""


class Watch:
    """A page that watches, and notes what it sees."""

    def __init__(self, page: "Page", site: Site, **options: object) -> None:
        self._page = page
        page.goto(site.page("page", "<!doctype html><title>A page</title>"))
        page.evaluate(_WATCH, ["/generate", {"firstPause": 10, **options}])

    def fractions(self, n: int) -> list[float]:
        """The first events' fractions, once there are as many."""
        self._page.wait_for_function("n => log.events.length >= n", arg=n)
        return self._page.evaluate("log.events.map((event) => event.fraction)")

    def end(self) -> dict[str, Any]:
        """How it ended, once it has."""
        self._page.wait_for_function("log.end !== null")
        return self._page.evaluate("log.end")

    def connections(self) -> list[str]:
        """The states that were told so far."""
        return self._page.evaluate("log.connections.map(([state]) => state)")

    def wait_connection(self, state: str) -> tuple[str, float, str]:
        """The last time it came to be in this state; in how many milliseconds it tries again; and why."""
        # One look, not two: between them the next attempt may have begun.
        found = self._page.wait_for_function("state => log.connections.findLast(([is]) => is === state)", arg=state)
        return tuple(found.json_value())


@pytest.fixture
def script() -> Script:
    """To be given its answers by the test."""
    return Script()


def test_events_come_one_by_one_and_end_with_the_returncode(page: "Page", serve: Serve) -> None:
    gates = [threading.Event() for _ in range(2)]
    last = line(1.0, returncode=3, error="no such set")
    watch = Watch(page, serve(Answer(line(0.25, message="é\u2028"), gates[0], line(0.5), gates[1], last)))
    assert watch.fractions(1) == [0.25]
    gates[0].set()
    assert watch.fractions(2) == [0.25, 0.5]
    gates[1].set()
    assert watch.end()["name"] == "end"
    events = page.evaluate("log.events")
    assert events[0]["message"] == "é\u2028"
    assert (events[2]["returncode"], events[2]["error"]) == (3, "no such set")
    assert watch.connections() == ["open"]


def test_a_line_may_come_in_pieces_and_pieces_may_hold_several(page: "Page", serve: Serve) -> None:
    both = line(0.1, message="日本") + line(0.2) + DONE
    cuts = [both[i : i + 1] for i in range(len(both) - 40)] + [both[-40:]]
    watch = Watch(page, serve(Answer(*cuts)))
    assert watch.end()["name"] == "end"
    assert watch.fractions(3) == [0.1, 0.2, 1.0]
    assert page.evaluate("log.events[0].message") == "日本"


def test_what_is_sent(page: "Page", script: Script) -> None:
    script.answers[:] = [Answer(DONE)]
    with serving(script) as site:
        options = {"body": {"server": "http://x", "name": "é&"}, "token": "tökén", "headers": {"X-More": "1"}}
        assert Watch(page, site, **options).end()["name"] == "end"
        page.close()
    environ, body = script.requests[0]
    assert body == "server=http%3A%2F%2Fx&name=%C3%A9%26"
    assert environ["CONTENT_TYPE"].startswith("application/x-www-form-urlencoded")
    assert environ["HTTP_AUTHORIZATION"] == "Basic " + base64.b64encode("tökén:x-auth-token".encode()).decode()
    assert (environ["HTTP_ACCEPT"], environ["HTTP_X_MORE"]) == ("application/x-ndjson", "1")


def test_a_form_is_sent_as_fields(page: "Page", script: Script) -> None:
    script.answers[:] = [Answer(DONE)]
    with serving(script) as site:
        page.goto(site.page("page", "<!doctype html><form><input name=name value=a&b></form>"))
        page.evaluate("""async () => {
          const { watch } = await import("/workqueue.js");
          await watch("/generate", { body: new FormData(document.querySelector("form")) }).next();
        }""")
        page.close()
    ((environ, body),) = script.requests
    assert (environ["CONTENT_TYPE"].partition(";")[0], body) == ("application/x-www-form-urlencoded", "name=a%26b")


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "500 Internal Server Error", "501 No"])
def test_a_refusal_is_final(page: "Page", script: Script, status: str) -> None:
    problem = b'{"type": "about:blank", "title": "Bad", "status": 400, "detail": "name is missing"}'
    script.answers[:] = [Answer(problem, status=status, headers={"Content-Type": "application/problem+json"})]
    with serving(script) as site:
        end = Watch(page, site).end()
        page.close()
    assert (end["name"], end["title"], end["detail"]) == ("RefusedError", "Bad", "name is missing")
    assert end["status"] == int(status[:3])
    assert end["message"] == "name is missing"
    assert len(script.requests) == 1


@pytest.mark.parametrize("body", [b"<h1>No</h1>", b"", b"null", b"[1]"])
def test_a_refusal_without_a_problem_says_its_status(page: "Page", serve: Serve, body: bytes) -> None:
    end = Watch(page, serve(Answer(body, status="404 NOT FOUND", headers={"Content-Type": "application/json"}))).end()
    assert (end["name"], end["status"], end["message"]) == ("RefusedError", 404, "NOT FOUND")


def test_an_answer_that_is_no_stream_is_final(page: "Page", serve: Serve) -> None:
    end = Watch(page, serve(Answer(b"<h1>Log in</h1>", headers={"Content-Type": "text/html"}))).end()
    assert (end["name"], end["detail"]) == ("RefusedError", "Content-Type: text/html")


@pytest.mark.parametrize("options", [{"headers": {"no header": "1"}}, {"method": "GET", "body": "x"}])
def test_a_wrong_argument_is_no_lost_connection(page: "Page", serve: Serve, options: dict[str, object]) -> None:
    assert Watch(page, serve(Answer(DONE)), **options).end()["name"] == "TypeError"


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 521])
def test_not_now_is_asked_again(page: "Page", serve: Serve, status: int) -> None:
    watch = Watch(page, serve(Answer(status=f"{status} Later"), Answer(DONE)))
    assert watch.end()["name"] == "end"
    assert watch.connections() == ["lost", "open"]


def test_retry_after_is_honoured(page: "Page", script: Script) -> None:
    busy = [
        Answer(status="503 Full", headers={"Retry-After": value})
        for value in ("7", "Fri, 02 Jan 2026 00:01:00 GMT", "86400", "soon")
    ]
    script.answers[:] = [*busy, Answer(DONE)]
    page.clock.install(time="2026-01-02T00:00:00Z")
    with serving(script) as site:
        watch = Watch(page, site)
        for n, (state, seconds) in enumerate([("busy", 7), ("busy", 53), ("busy", 120)], start=1):
            page.wait_for_function("n => log.connections.length === n", arg=n)
            _, retry_in, error = watch.wait_connection(state)
            assert error == "RefusedError"
            # The pause of a lost connection comes on top, and the clock goes on.
            assert seconds - 5 <= retry_in / 1000 <= seconds + 0.1
            assert len(script.requests) == n
            page.clock.fast_forward(int(retry_in) + 1)
        assert watch.end()["name"] == "end"  # "soon" is no time: an ordinary pause
        assert watch.connections() == ["busy", "busy", "busy", "lost", "open"]
        page.close()


def test_a_clean_end_without_a_returncode_is_asked_again_without_a_word(page: "Page", serve: Serve) -> None:
    watch = Watch(page, serve(Answer(line(0.1)), Answer(line(0.2)), Answer(line(0.3), DONE)))
    assert watch.end()["name"] == "end"
    assert watch.fractions(4) == [0.1, 0.2, 0.3, 1.0]
    assert watch.connections() == ["open"]


def test_streams_that_end_at_once_are_not_asked_for_in_a_tight_loop(page: "Page", script: Script) -> None:
    script.answers[:] = [Answer(line(0.1)), Answer(), Answer(), Answer(DONE)]
    page.clock.install()
    with serving(script) as site:
        # With an Accept of its own, else each second one would be asked for in another form first.
        accept = {"Accept": "application/x-ndjson"}
        watch = Watch(page, site, firstPause=60_000, longestPause=120_000, headers=accept)
        assert watch.fractions(1) == [0.1]
        page.clock.fast_forward(60_000)
        _, retry_in, _ = watch.wait_connection("lost")
        assert 30_000 <= retry_in <= 60_000
        page.clock.fast_forward(int(retry_in) + 1)
        page.wait_for_function("log.connections.length === 3")
        _, retry_in, _ = watch.wait_connection("lost")
        assert 60_000 <= retry_in <= 120_000
        page.clock.fast_forward(int(retry_in) + 1)
        assert watch.end()["name"] == "end"
        page.close()
    assert len(script.requests) == 4


@pytest.mark.parametrize(
    "rest",
    [
        [None],
        [b'{"n_ahead_in_queue": 0, "fract'],
        [b"Traceback (most recent call last):\n"],
        [b"null\n"],
        [b"x" * 65536] * 17,
    ],
    ids=["cut", "cut that looks like an end", "malformed line", "line that is no object", "endless line"],
)
def test_a_broken_stream_is_a_lost_connection(page: "Page", serve: Serve, rest: list[bytes | None]) -> None:
    gate = threading.Event()
    watch = Watch(page, serve(Answer(line(0.1), gate, *rest), Answer(line(0.2), DONE)))
    watch.fractions(1)  # a browser may throw away what comes at the same time as the cut
    gate.set()
    assert watch.end()["name"] == "end"
    assert watch.fractions(3) == [0.1, 0.2, 1.0]
    assert watch.connections() == ["open", "lost", "open"]


def test_a_server_that_talks_nonsense_again_and_again_is_asked_less_and_less(page: "Page", serve: Serve) -> None:
    page.clock.install()
    watch = Watch(page, serve(Answer(line(0.1), b"?\n")), firstPause=60_000, longestPause=480_000)
    for n, least in enumerate((30_000, 60_000, 120_000, 240_000, 240_000)):
        page.wait_for_function("n => log.connections.length === n", arg=2 * n + 2)
        _, retry_in, error = watch.wait_connection("lost")
        assert least <= retry_in <= 2 * least
        assert error == "SyntaxError"
        page.clock.fast_forward(int(retry_in) + 1)


def test_silence_is_a_lost_connection(page: "Page", serve: Serve) -> None:
    silent = SilentAnswer(line(0.1))
    page.clock.install()
    watch = Watch(page, serve(silent, Answer(DONE)))
    assert watch.fractions(1) == [0.1]
    page.clock.fast_forward(44_000)
    assert watch.connections() == ["open"]
    page.clock.fast_forward(1_500)
    assert watch.wait_connection("lost")[2] == "TimeoutError"
    page.clock.fast_forward(1_000)
    assert watch.end()["name"] == "end"
    silent.released.set()


def test_a_server_that_is_not_there_is_waited_for(page: "Page") -> None:
    with serving(Script(Answer(line(0.1), None))) as site:
        port = int(site.origin.rpartition(":")[2])
        watch = Watch(page, site, longestPause=100)
        watch.wait_connection("lost")
    with serving(Script(Answer(DONE)), port):
        assert watch.end()["name"] == "end"
        page.close()


def test_a_network_that_is_back_ends_the_pause(page: "Page", serve: Serve) -> None:
    watch = Watch(page, serve(Answer(line(0.1), None), Answer(DONE)), firstPause=1_000_000, longestPause=1_000_000)
    watch.wait_connection("lost")
    page.evaluate("dispatchEvent(new Event('online'))")
    assert watch.end()["name"] == "end"


@pytest.mark.parametrize("when", ["before the answer", "in the stream", "in a pause"])
def test_an_abort_is_thrown_and_ends_the_request(page: "Page", script: Script, when: str) -> None:
    answer: Answer = {
        "before the answer": SilentAnswer(),
        "in the stream": Answer(line(0.1), threading.Event()),
        "in a pause": Answer(line(0.1), None),
    }[when]
    script.answers[:] = [answer]
    with serving(script) as site:
        watch = Watch(page, site, firstPause=1_000_000, longestPause=1_000_000)
        if when == "in a pause":
            watch.wait_connection("lost")
        elif when == "in the stream":
            watch.fractions(1)
        page.evaluate("stop.abort()")
        assert watch.end()["name"] == "AbortError"
        if isinstance(answer, SilentAnswer):
            answer.released.set()
        else:
            assert answer.ended.wait(10)
        page.close()
    assert len(script.requests) <= 1


def test_the_reason_of_an_abort_is_what_is_thrown(page: "Page", serve: Serve) -> None:
    answer = Answer(line(0.1), threading.Event())
    watch = Watch(page, serve(answer))
    watch.fractions(1)
    page.evaluate("stop.abort(new RangeError('enough'))")
    assert (watch.end()["name"], watch.end()["message"]) == ("RangeError", "enough")
    assert answer.ended.wait(10)


def test_events_that_came_before_an_abort_are_not_given_after_it(page: "Page", serve: Serve) -> None:
    page.goto(serve(Answer(line(0.1) + line(0.2) + DONE)).page("page", "<!doctype html>"))
    seen = page.evaluate("""async () => {
      const { watch } = await import("/workqueue.js");
      const stop = new AbortController();
      const seen = [];
      try {
        for await (const event of watch("/generate", { signal: stop.signal })) {
          seen.push(event.fraction);
          stop.abort();
        }
      } catch (error) {
        seen.push(error.name);
      }
      return seen;
    }""")
    assert seen == [0.1, "AbortError"]


def test_a_signal_that_was_aborted_before_sends_nothing(page: "Page", script: Script) -> None:
    with serving(script) as site:
        page.goto(site.page("page", "<!doctype html>"))
        name = page.evaluate("""async () => {
          const { watch } = await import("/workqueue.js");
          const events = watch("/generate", { signal: AbortSignal.abort() });
          return events.next().catch((error) => error.name);
        }""")
        page.close()
    assert name == "AbortError"
    assert script.requests == []


def test_return_ends_the_request_though_next_waits(page: "Page", serve: Serve) -> None:
    answer = Answer(line(0.1), threading.Event())
    watch = Watch(page, serve(answer))
    watch.fractions(1)
    assert page.evaluate("watching.return()") == {"value": None, "done": True}
    assert watch.end()["name"] == "end"
    assert answer.ended.wait(10)
    assert page.evaluate("watching.next()") == {"value": None, "done": True}


def test_to_leave_the_loop_ends_the_request(page: "Page", serve: Serve) -> None:
    answer = Answer(line(0.1), threading.Event())
    page.goto(serve(answer).page("page", "<!doctype html>"))
    page.evaluate("""async () => {
      const { watch } = await import("/workqueue.js");
      for await (const event of watch("/generate")) break;
    }""")
    assert answer.ended.wait(10)


def test_a_hidden_tab_leaves_looks_in_and_comes_back(page: "Page", serve: Serve) -> None:
    never = threading.Event()
    answers = [Answer(line(fraction), never) for fraction in (0.1, 0.2, 0.3, 0.4)]
    page.clock.install()
    watch = Watch(page, serve(*answers))
    assert watch.fractions(1) == [0.1]

    page.evaluate("hide(true)")
    page.clock.fast_forward(4_000)
    assert watch.connections() == ["open"]
    page.clock.fast_forward(1_500)
    watch.wait_connection("away")
    assert answers[0].ended.wait(10)

    page.clock.fast_forward(25_500)
    assert watch.fractions(2) == [0.1, 0.2]
    assert answers[1].ended.wait(10)

    watch.wait_connection("away")
    page.evaluate("hide(false)")
    assert watch.fractions(3) == [0.1, 0.2, 0.3]
    page.clock.fast_forward(10_000)
    assert not answers[2].ended.is_set()
    never.set()


def test_a_tab_that_was_hidden_for_a_moment_keeps_its_stream(page: "Page", serve: Serve) -> None:
    gate = threading.Event()
    page.clock.install()
    watch = Watch(page, serve(Answer(line(0.1), gate, DONE), Answer(status="400 No")))
    watch.fractions(1)
    page.evaluate("hide(true)")
    page.clock.fast_forward(3_000)
    page.evaluate("hide(false)")
    page.clock.fast_forward(10_000)
    gate.set()
    assert watch.end()["name"] == "end"


def test_a_hidden_tab_keeps_its_stream_if_it_shall(page: "Page", serve: Serve) -> None:
    gate = threading.Event()
    page.clock.install()
    watch = Watch(page, serve(Answer(line(0.1), gate, DONE), Answer(status="400 No")), glance=0)
    watch.fractions(1)
    page.evaluate("hide(true)")
    page.clock.fast_forward(30_000)
    gate.set()
    assert watch.end()["name"] == "end"


def test_a_hidden_tab_sees_a_job_that_was_started_again_to_its_end(page: "Page", serve: Serve) -> None:
    gate = threading.Event()
    failure = line(1.0, returncode=1, error="no such set")
    page.clock.install()
    watch = Watch(page, serve(Answer(line(0.5), threading.Event()), Answer(line(0), gate, line(0.1), failure)))
    watch.fractions(1)
    page.evaluate("hide(true)")
    page.clock.fast_forward(5_001)
    watch.wait_connection("away")
    page.clock.fast_forward(25_001)
    assert watch.fractions(2) == [0.5, 0]
    gate.set()
    assert watch.end()["name"] == "end"
    assert watch.fractions(4) == [0.5, 0, 0.1, 1.0]


def test_a_worker_watches(page: "Page", serve: Serve) -> None:
    site = serve(Answer(line(0.1), DONE))
    site.page(
        "worker.js",
        """
        import { watch } from "/workqueue.js";
        const fractions = [];
        for await (const event of watch("/generate")) fractions.push(event.fraction);
        postMessage(fractions);
        """,
    )
    page.goto(site.page("page", "<!doctype html>"))
    fractions = page.evaluate("""() => new Promise((resolve) => {
      const worker = new Worker("/worker.js", { type: "module" });
      worker.onmessage = (event) => resolve(event.data);
    })""")
    assert fractions == [0.1, 1.0]
