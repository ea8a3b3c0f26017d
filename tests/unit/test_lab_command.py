"""`manage.py lab`: same seed, same output; JSON of one shape; pictures that show it; clear refusals."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from matplotlib.image import imread

from resilience.lab import Finding, SliderUnknown, experiments
from resilience.lab.plotting import write_png

# Small runs of each: what they say is tested elsewhere.
QUICK = {
    "availability": ["--orders", "1000", "--parts", "2"],
    "backoff": ["--clients-max", "20", "--runs", "1", "--waiting", "100"],
    "breaker": ["--workers", "3", "--runs", "1", "--healthy-s", "1.0"],
    "cache": ["--reads-per-s", "20", "--ttls", "2"],
}


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("lab", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_every_experiment_is_tried_here():
    assert sorted(QUICK) == sorted(experiments())


@pytest.mark.parametrize("name", QUICK)
def test_the_same_seed_gives_the_same_output_and_another_seed_another(name: str):
    first = run(name, "--json", "--seed", "5", *QUICK[name])

    assert run(name, "--json", "--seed", "5", *QUICK[name]) == first
    assert run(name, "--json", "--seed", "6", *QUICK[name]) != first


@pytest.mark.parametrize("name", QUICK)
def test_json_has_one_shape(name: str):
    finding = json.loads(run(name, "--json", *QUICK[name]))

    assert list(finding) == ["experiment", "seed", "settings", "tables", "charts"]
    assert finding["experiment"] == name
    assert finding["seed"] == 1
    assert list(finding["settings"]) == [slider.name for slider in experiments()[name].sliders]
    for table in finding["tables"]:
        assert list(table) == ["title", "columns", "rows"]
        assert {len(row) for row in table["rows"]} == {len(table["columns"])}
    for chart in finding["charts"]:
        assert list(chart) == ["name", "title", "reading", "x", "y", "series"]
        for series in chart["series"]:
            assert len(series["x"]) == len(series["y"]) > 0
        # A logarithmic axis shows nothing at or below zero.
        for axis in ("x", "y"):
            if chart[axis]["scale"] == "log":
                assert min(min(series[axis]) for series in chart["series"]) > 0


@pytest.mark.parametrize("name", QUICK)
def test_a_picture_per_chart_and_the_json_are_written(name: str, tmp_path: Path):
    folder = tmp_path / "not" / "there"

    printed = run(name, "--json", "--out", str(folder), *QUICK[name])

    finding = json.loads(printed)
    names = sorted([f"{chart['name']}.png" for chart in finding["charts"]] + [f"{name}.json"])
    assert sorted(path.name for path in folder.iterdir()) == names
    assert json.loads((folder / f"{name}.json").read_text()) == finding


@pytest.mark.filterwarnings("ignore:Attempt to set non-positive ylim")
@pytest.mark.parametrize("name", QUICK)
def test_the_curves_are_in_the_picture(name: str, tmp_path: Path):
    """Without their points, colours are in the legend only."""
    for chart in _found(name).charts:
        bare = replace(chart, series=tuple(replace(series, x=(), y=()) for series in chart.series))

        drawn, empty = (_coloured(write_png(one, folder=tmp_path)) for one in (chart, bare))

        assert drawn > empty + 100, chart.name


def test_a_picture_has_the_same_bytes_twice(tmp_path: Path):
    chart = experiments()["cache"].run(values={"reads_per_s": 5.0, "ttls": 2}, seed=1).charts[0]

    assert write_png(chart, folder=tmp_path).read_bytes() == write_png(chart, folder=tmp_path).read_bytes()


@pytest.mark.parametrize("name", QUICK)
def test_text_has_the_tables_and_what_the_charts_say(name: str):
    finding = json.loads(run(name, "--json", *QUICK[name]))
    text = run(name, *QUICK[name])

    assert text.startswith(f"{name}, seed 1\n")
    for table in finding["tables"]:
        assert all(str(row[0]) in text for row in table["rows"])
    assert all(chart["reading"] in text for chart in finding["charts"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["backoff", "--runs", "0"], "runs must be from 1 to 20, and is 0."),
        (["backoff", "--outage-s", "1e9"], "outage_s must be from 1 to 600 s, and is 1e+09."),
        (["availability", "--availability", "1.5"], "availability must be from 0.5 to 0.9999, and is 1.5."),
        (["availability", "--repair-s", "nan"], "repair_s must be from 1 to 3600 s, and is nan."),
        (["cache", "--ttls", "2.5"], "argument --ttls: invalid int value: '2.5'"),
        (["cache", "--ttl-s", "long"], "argument --ttl-s: invalid float value: 'long'"),
        (["cache", "--parts", "3"], "unrecognized arguments: --parts 3"),
        (["weather"], "invalid choice: 'weather'"),
        ([], "the following arguments are required: EXPERIMENT"),
    ],
)
def test_a_bad_option_is_refused_in_words(arguments: list[str], complaint: str):
    with pytest.raises(CommandError) as refused:
        run(*arguments)

    assert complaint in str(refused.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(CommandError, match=f"Cannot write to {file}: File exists"):
        run("cache", *QUICK["cache"], "--out", str(file))


def test_a_value_for_no_slider_is_refused():
    with pytest.raises(SliderUnknown, match="no setting 'reads'; there are reads_per_s"):
        experiments()["cache"].run(values={"reads": 1.0}, seed=1)


@pytest.mark.parametrize("name", experiments())
def test_every_default_lies_within_its_bounds_and_every_slider_says_what_it_is(name: str):
    for slider in experiments()[name].sliders:
        slider.check(slider.default)

        assert slider.lowest < slider.highest
        assert slider.meaning


def test_nothing_but_plotting_needs_matplotlib():
    """A server that shows the lab's figures does not pay for it."""
    program = "import sys, resilience.lab; sys.exit('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], timeout=30, check=False).returncode == 0


def _found(name: str) -> Finding:
    values = {
        argument.removeprefix("--").replace("-", "_"): float(value) if "." in value else int(value)
        for argument, value in zip(QUICK[name][::2], QUICK[name][1::2], strict=True)
    }
    return experiments()[name].run(values=values, seed=1)


def _coloured(picture: Path) -> int:
    """Return how many points are of a colour. Paper, ink and the first curve are grey."""
    points = imread(picture)[:, :, :3]
    return int((points.max(axis=2) - points.min(axis=2) > 0.2).sum())
