"""`manage.py lab EXPERIMENT`: what the resilience toolkit does, simulated in seconds (docs/lab.md)."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resilience.errors import Refusal
from resilience.lab import Finding, Slider, experiments
from resilience.lab.findings import as_json, as_text


class Command(BaseCommand):
    help = "Simulate backoff, availability, breakers or caches, with a seed; print, and write JSON and PNG."
    # It reads no database and changes nothing.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take an experiment, and what it lets be turned."""
        choices = parser.add_subparsers(dest="experiment", required=True, metavar="EXPERIMENT")
        for experiment in experiments().values():
            chosen = choices.add_parser(
                experiment.name, help=experiment.question, description=experiment.question
            )
            chosen.add_argument("--seed", type=int, default=1, help="the same seed, the same figures (1)")
            chosen.add_argument("--out", type=Path, metavar="DIR", help="write the JSON and a PNG per chart")
            chosen.add_argument("--json", action="store_true", help="print the finding as JSON")
            for slider in experiment.sliders:
                _add_slider(chosen, slider)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it; a value outside its bounds is refused before anything runs."""
        experiment = experiments()[options["experiment"]]
        values = {slider.name: options[slider.name] for slider in experiment.sliders}
        try:
            finding = experiment.run(values=values, seed=options["seed"])
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        if options["out"]:
            self._write(finding, options["out"])
        self.stdout.write(as_json(finding) if options["json"] else as_text(finding))

    def _write(self, finding: Finding, folder: Path) -> None:
        # It takes 0.7 s and 75 MB to import, which whoever only wants figures should not pay.
        from resilience.lab.plotting import write_png

        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{finding.experiment}.json").write_text(f"{as_json(finding)}\n")
            written = [write_png(chart, folder=folder) for chart in finding.charts]
        except OSError as error:
            raise CommandError(f"Cannot write to {folder}: {error.strerror}.") from error
        names = ", ".join(path.name for path in written)
        self.stderr.write(f"{finding.experiment}.json, {names} are in {folder}")


def _add_slider(parser: ArgumentParser, slider: Slider) -> None:
    unit = f" {slider.unit}" if slider.unit else ""
    parser.add_argument(
        f"--{slider.name.replace('_', '-')}",
        dest=slider.name,
        type=int if slider.is_whole else float,
        default=slider.default,
        metavar="N" if slider.is_whole else "X",
        help=f"{slider.meaning} ({slider.default:g}{unit}; from {slider.lowest:g} to {slider.highest:g})",
    )
