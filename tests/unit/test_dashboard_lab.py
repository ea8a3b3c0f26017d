"""The lab's page without a page: what an address asks for, how it is shown, and who runs when."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from config.dashboard.lab.apart import run_apart
from config.dashboard.lab.asked import TEXT_MAX, Asked, asked_of, number
from config.dashboard.lab.desk import KEPT_MAX, Desk
from config.dashboard.lab.errors import LabBusy, RunBroken, RunTooLong, SettingNotANumber
from config.dashboard.lab.figures import Row, picture_of, sheet_of
from config.dashboard.lab.form import fields_of
from resilience.lab import SliderOutOfBounds, SliderUnknown, experiments
from resilience.lab.__main__ import NICENESS
from resilience.lab.findings import as_json
from resilience.management.commands.lab import Command
from tests.processes import wait_until

CACHE, BREAKER = experiments()["cache"], experiments()["breaker"]
# Small enough for a moment.
QUICK = {"reads_per_s": "20", "ttls": "2"}


def asked(seed: int = 1) -> Asked:
    return asked_of(CACHE, QUICK | {"seed": f"{seed}"})


# --- what is asked ----------------------------------------------------------------------------


def test_what_is_not_told_has_its_default():
    found = asked_of(CACHE, {"ttls": "7", "grace_s": "2.5"})

    assert found.settings == (
        ("reads_per_s", 1000.0), ("ttl_s", 60.0), ("rebuild_s", 0.4), ("grace_s", 2.5), ("ttls", 7),
    )  # fmt: skip
    assert found.seed == 1


def test_one_run_has_one_key_however_it_is_told():
    default = {slider.name: number(slider.default) for slider in CACHE.sliders}

    assert asked_of(CACHE, {}) == asked_of(CACHE, default | {"seed": "1"})
    assert asked_of(CACHE, {}) != asked_of(CACHE, {"seed": "2"})


@pytest.mark.parametrize(
    ("told", "refusal", "complaint"),
    [
        ({"ttls": "1"}, SliderOutOfBounds, "ttls must be from 2 to 100, and is 1."),
        ({"ttl_s": "1e9"}, SliderOutOfBounds, "ttl_s must be from 5 to 600 s, and is 1e+09."),
        ({"ttl_s": "nan"}, SliderOutOfBounds, "ttl_s must be from 5 to 600 s, and is nan."),
        ({"seed": "-1"}, SliderOutOfBounds, "seed must be from 0 to 999999, and is -1."),
        ({"reads": "5"}, SliderUnknown, "There is no setting 'reads'; there are reads_per_s, ttl_s,"),
        ({"reads": "many"}, SliderUnknown, "There is no setting 'reads'"),
        ({"ttls": "2.5"}, SettingNotANumber, "ttls must be a whole number, and is '2.5'."),
        ({"ttl_s": "long"}, SettingNotANumber, "ttl_s must be a number, and is 'long'."),
        ({"ttl_s": ""}, SettingNotANumber, "ttl_s must be a number, and is ''."),
        ({"seed": "x"}, SettingNotANumber, "seed must be a whole number, and is 'x'."),
        ({"ttls": "9" * 5000}, SettingNotANumber, f"ttls must be a whole number, and is '{'9' * TEXT_MAX}'."),
    ],
)
def test_a_bad_setting_is_refused_in_words(told: dict[str, str], refusal: type[Exception], complaint: str):
    with pytest.raises(refusal) as refused:
        asked_of(CACHE, told)

    assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize("value", [1, 200.0, 0.1 + 0.2, 0.9999, 1e-7, 86400.0])
def test_a_number_is_read_as_the_one_that_was_written(value: float):
    assert float(number(value)) == value


@pytest.mark.parametrize("name", experiments())
def test_the_command_has_the_settings_of_the_run(name: str):
    experiment = experiments()[name]
    wanted = asked_of(experiment, {"seed": "7"})

    program, command, *arguments = shlex.split(wanted.command)
    parsed = vars(Command().create_parser(program, command).parse_args(arguments))

    assert (program, command, parsed["experiment"], parsed["seed"]) == ("manage.py", "lab", name, 7)
    assert {setting: parsed[setting] for setting, _ in wanted.settings} == dict(wanted.settings)


# --- what is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", experiments())
def test_every_slider_is_a_field_with_its_bounds_and_meaning(name: str):
    experiment = experiments()[name]

    *fields, seed = fields_of(experiment, {})

    assert [field.name for field in fields] == [slider.name for slider in experiment.sliders]
    for field, slider in zip(fields, experiment.sliders, strict=True):
        told = (float(field.lowest), float(field.value), float(field.highest))
        assert told == (slider.lowest, slider.default, slider.highest)
        assert slider.meaning in field.help
        assert field.is_slider
    assert (seed.name, seed.value, seed.is_slider) == ("seed", "1", False)


def test_a_field_keeps_what_was_told_and_says_that_it_is_wrong():
    fields = {field.name: field for field in fields_of(CACHE, {"ttls": "many"}, wrong="ttls")}

    assert (fields["ttls"].value, fields["ttls"].is_wrong) == ("many", True)
    assert [name for name, field in fields.items() if field.is_wrong] == ["ttls"]


def test_a_field_names_its_unit_once():
    fields = {field.name: field for field in fields_of(CACHE, {})}

    assert (fields["grace_s"].label, fields["grace_s"].unit) == ("grace", "s")
    assert (fields["reads_per_s"].label, fields["reads_per_s"].unit) == ("reads per s", "reads/s")


def test_a_table_is_written_as_the_command_writes_it():
    sheet = sheet_of(
        {
            "title": "t",
            "columns": ["design", "calls", "s"],
            "rows": [["a", 1000, 0.5], ["b", 7, "not in 120"]],
        }
    )

    assert sheet.rows == [Row("a", ["1,000", "0.500"]), Row("b", ["7", "not in 120"])]


def test_a_chart_tells_where_its_curves_lie_and_what_stands_for_nothing():
    axis = {"label": "x, s", "scale": "linear", "lowest": None, "is_whole": False}
    series = {"label": "one", "x": [1.0, 2.0, 3.0], "y": [4.0, 0.5, 2.0], "kind": "line", "subject": ""}
    chart = {
        "name": "n", "title": "t", "reading": "r.", "x": axis,
        "y": axis | {"label": "calls", "scale": "log", "lowest": 1.0}, "series": [series],
    }  # fmt: skip

    curves = picture_of(chart).curves

    assert curves.columns == ("curve", "x, s: from", "to", "calls: lowest", "highest", "last")
    assert curves.rows == [Row("one", ["1", "3", "< 1", "4", "2"])]


# --- who runs when ----------------------------------------------------------------------------


def test_a_run_apart_finds_what_the_experiment_finds():
    found = run_apart(asked(seed=5))

    alone = CACHE.run(values=dict(asked().settings), seed=5)
    assert found == json.loads(as_json(alone))


def test_a_run_beyond_its_time_is_cut_off_and_names_the_command():
    began = time.monotonic()

    with pytest.raises(RunTooLong, match=r"cut off after 0\.05 s") as refused:
        run_apart(asked_of(BREAKER, {}), limit_s=0.05)

    assert refused.value.facts["command"] == asked_of(BREAKER, {}).command
    assert time.monotonic() - began < 10


def test_a_run_gives_way_and_ends_by_itself_when_nobody_is_there_to_kill_it():
    request = {"experiment": "breaker", "values": {"runs": 10}, "seed": 1, "limit_s": 1.0}

    with subprocess.Popen(
        [sys.executable, "-m", "resilience.lab"], stdin=subprocess.PIPE, text=True
    ) as alone:
        assert alone.stdin is not None
        alone.stdin.write(json.dumps(request))
        alone.stdin.close()
        wait_until(lambda: os.getpriority(os.PRIO_PROCESS, alone.pid) == NICENESS)

        assert alone.wait(20) == -signal.SIGALRM


def test_a_run_that_breaks_is_no_finding():
    nothing = Asked("weather", (), 1)

    with pytest.raises(RunBroken):
        run_apart(nothing)


def test_a_second_run_at_once_is_refused_and_the_next_one_is_not():
    begun, may_end = threading.Event(), threading.Event()
    ran: list[Asked] = []

    def run(one: Asked) -> dict[str, Any]:
        ran.append(one)
        begun.set()
        assert may_end.wait(10)
        return {"seed": one.seed}

    desk = Desk(run=run)
    first = threading.Thread(target=desk.find, args=(asked(1),))
    first.start()
    assert begun.wait(10)

    with pytest.raises(LabBusy) as refused:
        desk.find(asked(2))
    assert refused.value.facts["retry_after_s"] > 0
    assert ran == [asked(1)]

    may_end.set()
    first.join(10)
    assert desk.find(asked(2)) == {"seed": 2}


def test_a_run_that_fails_leaves_the_desk_free_and_nothing_kept():
    answers = iter([RunBroken("It broke."), {"seed": 1}])

    def run(_one: Asked) -> dict[str, Any]:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    desk = Desk(run=run)
    with pytest.raises(RunBroken):
        desk.find(asked())

    assert desk.find(asked()) == {"seed": 1}


def test_what_was_found_is_not_run_again_until_newer_ones_take_its_place():
    ran: list[int] = []

    def run(one: Asked) -> dict[str, Any]:
        ran.append(one.seed)
        return {"seed": one.seed}

    desk = Desk(run=run)
    for seed in (*range(KEPT_MAX), 0):
        desk.find(asked(seed))
    assert ran == list(range(KEPT_MAX))

    desk.find(asked(KEPT_MAX))
    desk.find(asked(0))
    assert ran[KEPT_MAX:] == [KEPT_MAX, 0]
