"""A request is sent again, unchanged, until it is answered; and not for ever."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from config.replay.api import Api, problem_of
from config.replay.errors import KeyRefusedError, NoAnswerError, StoppedError
from tests.replay_kit import Hours, toy_api

Answer = httpx.Response | Exception


class Script:
    """Answers in order, the last one for ever; keeps what was sent."""

    def __init__(self, *answers: Answer) -> None:
        self.sent: list[tuple[str | None, bytes]] = []
        self._answers: Iterator[Answer] = iter(answers)
        self._last = answers[-1]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((request.headers.get("Idempotency-Key"), request.content))
        answer = next(self._answers, self._last)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def hours() -> Hours:
    return Hours()


@pytest.fixture
def api_on(hours: Hours) -> Callable[..., Api]:
    return lambda script, **options: toy_api(script, hours=hours, **options)


def post(api: Api) -> httpx.Response:
    return api.send("POST", "/api/v1/orders", body={"currency": "BRL"}, key="k1")


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("gone"),
        httpx.ReadTimeout("slow"),
        httpx.PoolTimeout("busy"),
        httpx.Response(429, headers={"Retry-After": "1"}),
        httpx.Response(409, headers={"Retry-After": "1"}),
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
    ],
    ids=str,
)
def test_trouble_is_answered_with_the_same_request_again(trouble: Answer, api_on) -> None:
    script = Script(trouble, trouble, httpx.Response(201))

    assert post(api_on(script)).status_code == 201
    assert script.sent == [("k1", b'{"currency":"BRL"}')] * 3


@pytest.mark.parametrize("status", [200, 201, 400, 404, 409, 413, 422])
def test_an_answer_is_an_answer(status: int, api_on, hours: Hours) -> None:
    script = Script(httpx.Response(status))

    assert post(api_on(script)).status_code == status
    assert len(script.sent) == 1
    assert hours.waits_s == []


def test_waits_grow_with_jitter_and_stay_below_their_cap(api_on, hours: Hours) -> None:
    post(api_on(Script(*[httpx.ConnectError("refused")] * 40, httpx.Response(201))))

    assert len(hours.waits_s) == len(set(hours.waits_s)) == 40
    assert all(wait_s <= min(5.0, 0.2 * 2**n) for n, wait_s in enumerate(hours.waits_s))
    assert max(hours.waits_s) > 1.0


def test_retry_after_is_waited_and_jitter_comes_on_top(api_on, hours: Hours) -> None:
    post(api_on(Script(httpx.Response(503, headers={"Retry-After": "7"}), httpx.Response(201))))

    (wait_s,) = hours.waits_s
    assert 7.0 < wait_s <= 7.2


def test_silence_is_given_up_in_time(api_on, hours: Hours) -> None:
    script = Script(httpx.ConnectError("refused"))

    with pytest.raises(NoAnswerError, match=r"POST http://api\.example/api/v1/orders got no answer for 60 s"):
        post(api_on(script, give_up_after_s=60))
    assert 50 < hours.passed_s <= 60


def test_trouble_that_stays_is_the_answer_in_the_end(api_on, hours: Hours) -> None:
    script = Script(httpx.ConnectError("refused"), httpx.Response(500, json={"code": "internal_error"}))

    answer = post(api_on(script, give_up_after_s=60))

    assert problem_of(answer)["code"] == "internal_error"
    assert hours.passed_s <= 60


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_ends_the_replay(status: int, api_on) -> None:
    refusal = httpx.Response(status, json={"code": "c", "detail": "It lacks orders.import."})

    with pytest.raises(KeyRefusedError, match=r"It lacks orders\.import"):
        post(api_on(Script(refusal)))


def test_a_replay_that_is_stopped_waits_no_longer(hours: Hours) -> None:
    hours.pause = lambda _wait_s: True  # type: ignore[method-assign]
    script = Script(httpx.ConnectError("refused"))

    with pytest.raises(StoppedError):
        post(toy_api(script, hours=hours))
    assert len(script.sent) == 1


@pytest.mark.parametrize("text", ["<html>Bad gateway</html>", "[]", "{}", "null"])
def test_an_answer_of_somebody_else_has_its_status_as_code(text: str) -> None:
    assert problem_of(httpx.Response(502, text=text))["code"] == "http_502"
