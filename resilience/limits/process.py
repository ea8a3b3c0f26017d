"""The shedder of this process, as the settings want it."""

from random import Random

from django.conf import settings

from resilience.limits.shedder import Mode, Shedder

shedder = Shedder(mode=Mode(settings.SHEDDER), random=Random())
