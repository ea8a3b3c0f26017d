"""Asking before an act, and doing it: `/admin/act/<name>/?id=…&next=…`."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.db import DatabaseError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from config.dashboard.acting.act import Act, Foreseen, Kept, ReasonForm, Wish
from config.dashboard.acting.registry import ACTS
from config.dashboard.page import OPERATE, require
from resilience import clock
from resilience.audit_trail import Deed, keep
from resilience.errors import HoldfastError

logger = logging.getLogger(__name__)

# A page of a list. Each is done by itself, and a request may not last; its address may have 4 kB.
SUBJECTS_MAX = 50
# Each that was refused is told by itself, up to so many.
_TOLD_MAX = 10


@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, name: str) -> HttpResponse:
    """Show what an act would do to each subject and ask for a reason; with one, do it."""
    wanted = ACTS.get(name)
    # Who may do nothing is not told what there is.
    require(request, OPERATE if wanted is None else wanted.permission)
    if wanted is None:
        raise Http404(f"There is no act {name}.")
    ids = list(dict.fromkeys(request.GET.getlist("id")))
    form = wanted.form(request.POST if request.method == "POST" else None)
    if not 1 <= len(ids) <= SUBJECTS_MAX:
        return _asked(request, wanted, ids[:0], form, status=400)
    if request.method == "POST" and form.is_valid():
        return _done(request, wanted, ids, form)
    return _asked(request, wanted, ids, form, status=400 if form.is_bound else 200)


act_view = admin.site.admin_view(act)


def _asked(
    request: HttpRequest, wanted: Act, ids: Sequence[str], form: ReasonForm, *, status: int
) -> HttpResponse:
    foreseen = wanted.foresee(ids)
    context = admin.site.each_context(request) | {
        "title": wanted.title,
        "act": wanted,
        "foreseen": foreseen,
        "possible": sum(not one.refusal for one in foreseen),
        "subjects_max": SUBJECTS_MAX,
        "form": form,
        "back": _back(request),
    }
    return TemplateResponse(request, "dashboard/act.html", context, status=status)


def _done(request: HttpRequest, wanted: Act, ids: Sequence[str], form: ReasonForm) -> HttpResponse:
    values = dict(form.cleaned_data)
    reason, once = values.pop("reason"), values.pop("once")
    done, refused = [], []
    for number, one in enumerate(wanted.foresee(ids)):
        if one.refusal:
            refused.append((one.title, one.refusal))
            continue
        wish = Wish(one.id, request.user.get_username(), reason, clock.now(), values, of=len(ids))
        try:
            done.append((one, _do(wanted, wish, once=once)))
        except HoldfastError as refusal:
            refused.append((one.title, refusal.message))
        except Exception as error:
            logger.exception("An act failed.", extra={"act": wanted.name, "subject": one.id})
            refused.append((one.title, _UNFORESEEN))
            if isinstance(error, DatabaseError):
                refused += [
                    (title, "Not tried: the database does not answer.") for title in ids[number + 1 :]
                ]
                break
    _tell(request, wanted, done, refused)
    return HttpResponseRedirect(_back(request))


_UNFORESEEN = "It is not known whether it was done: look at it again. The log says what happened."


def _tell(
    request: HttpRequest,
    wanted: Act,
    done: Sequence[tuple[Foreseen, str]],
    refused: Sequence[tuple[str, str]],
) -> None:
    if done:
        one, outcome = done[0]
        text = f"{one.title} {outcome}." if len(done) == 1 else f"{wanted.title}: {len(done)} done."
        messages.success(request, _with_undo(request, wanted, text, [one.id for one, _outcome in done]))
    for title, why in refused[:_TOLD_MAX]:
        messages.error(request, f"{title}: {why}")
    if len(refused) > _TOLD_MAX:
        messages.error(request, f"And {len(refused) - _TOLD_MAX} more could not be done.")


def _do(wanted: Act, wish: Wish, *, once: UUID) -> str:
    deed = Deed(wanted.name, wish.id, wish.by, wish.reason, wish.now, once)
    match wanted.kept:
        case Kept.BY_ITSELF:
            return wanted.do(wish)
        case Kept.AROUND:
            return _kept_around(wanted, wish, deed)
        case Kept.TOGETHER:
            with transaction.atomic(using="default"):
                outcome = wanted.do(wish)
                keep(deed, outcome=outcome)
            return outcome


def _kept_around(wanted: Act, wish: Wish, deed: Deed) -> str:
    keep(deed, outcome="was asked for")
    told = replace(deed, once=None)
    try:
        outcome = wanted.do(wish)
    except HoldfastError as refusal:
        keep(told, outcome=f"was refused: {refusal.message}")
        raise
    keep(told, outcome=outcome)
    return outcome


def _with_undo(request: HttpRequest, wanted: Act, text: str, ids: Sequence[str]) -> str:
    if not wanted.undo:
        return text
    query = urlencode({"id": ids, "next": _back(request)}, doseq=True)
    address = f"{reverse('dashboard:act', args=[wanted.undo])}?{query}"
    return format_html('{} <a class="hf-undo" href="{}">Undo</a>', text, address)


def _back(request: HttpRequest) -> str:
    wanted = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("admin:index")
