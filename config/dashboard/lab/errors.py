"""Why a run is not made, or not finished. The messages are read on the page."""

from resilience.errors import Operational, Refusal


class SettingNotANumber(Refusal):
    """A setting in the address is no number, or not a whole one where it counts something."""

    code = "lab_setting_not_a_number"


class RunTooLong(Refusal):
    """The settings ask for more work than a page may: the command has no limit."""

    code = "lab_run_too_long"


class LabBusy(Operational):
    """This process makes one run at a time, and is making one."""

    code = "lab_busy"


class RunBroken(Operational):
    """The process of a run ended without a finding; the log has what it said."""

    code = "lab_run_broken"
