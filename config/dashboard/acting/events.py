"""What may be done to subscriptions, dead letters and webhooks."""

from collections.abc import Callable, Sequence

from django import forms
from django.db.models import QuerySet
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from config.dashboard.acting.act import (
    Act,
    Foreseen,
    Kept,
    NoSuchSubjectError,
    ReasonForm,
    Wish,
    foreseeing,
    missing,
    uuid_of,
)
from resilience.events import Subscription, subscription_named, subscriptions
from resilience.events.dead_letters import in_order, redeliver, redeliver_all
from resilience.events.models import DeadLetter
from resilience.events.steering import (
    Instruction,
    Selection,
    begin_replay,
    count_selected,
    pause,
    resume,
)
from resilience.events.subscription import UnknownSubscriptionError
from resilience.webhooks.endpoints import EndpointDraft, update_endpoint
from resilience.webhooks.endpoints import redeliver as send_again
from resilience.webhooks.models import WebhookDelivery, WebhookEndpoint

# Of one subscription; more than it is handed at a busy time.
_PER_S_MAX = 2000
# A request may not last: what is left is done by asking again, or by the command.
_LETTERS_MAX = 500


class ReplayForm(ReasonForm):
    """Which stretch of time, and how fast."""

    since = forms.DateTimeField(
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2026-11-28 09:00:00"}),
        help_text="In UTC: what happened from then on.",
    )
    until = forms.DateTimeField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2026-11-28 10:00:00"}),
        help_text="In UTC: what happened before; empty for everything up to now.",
    )
    per_s = forms.IntegerField(
        initial=200,
        min_value=1,
        max_value=_PER_S_MAX,
        widget=UnfoldAdminIntegerFieldWidget,
        label="Events a second at most",
    )
    field_order: list[str] | None = ["since", "until", "per_s", "reason"]


def _foresee_by_name(what: Callable[[str], str]) -> Callable[[Sequence[str]], list[Foreseen]]:
    def foresee(ids: Sequence[str]) -> list[Foreseen]:
        known = {one.name for one in subscriptions()}
        return [Foreseen(one, one, what(one)) if one in known else missing(one) for one in ids]

    return foresee


def _subscription(wish: Wish) -> Subscription:
    try:
        return subscription_named(wish.id)
    except UnknownSubscriptionError as error:
        raise NoSuchSubjectError(f"No subscription is named {wish.id}.") from error


def _pause(wish: Wish) -> str:
    pause(_subscription(wish), Instruction(wish.by, wish.reason, wish.now))
    return "waits"


def _resume(wish: Wish) -> str:
    resume(_subscription(wish), Instruction(wish.by, wish.reason, wish.now))
    return "goes on"


def _foresee_replay(ids: Sequence[str]) -> list[Foreseen]:
    known = {one.name: one for one in subscriptions()}
    return [_replayable(known[one]) if one in known else missing(one) for one in ids]


def _replayable(subscription: Subscription) -> Foreseen:
    refusal = (
        "" if subscription.is_replayable else "It counts what it is handed: make its figures anew instead."
    )
    what = "Is handed again what it wants of the stretch that you choose; its handler bears an event twice."
    return Foreseen(subscription.name, subscription.name, what, refusal)


def _replay(wish: Wish) -> str:
    subscription = _subscription(wish)
    selection = Selection(since=wish.values["since"], until=wish.values["until"])
    instruction = Instruction(wish.by, wish.reason, wish.now)
    per_s = float(wish.values["per_s"])
    begin_replay(subscription, selection, instruction, carried_per_s=per_s)
    return f"is handed {count_selected(subscription, selection):,} events again, {per_s:g} a second at most"


def _letters_of(name: str) -> str:
    waiting = in_order(name)[: _LETTERS_MAX + 1].count()
    more = "more than " if waiting > _LETTERS_MAX else ""
    return f"{more}{min(waiting, _LETTERS_MAX)} dead letters wait; each aggregate's are handed over in order."


def _redeliver_all(wish: Wish) -> str:
    done = failed = 0
    for _letter, error in redeliver_all(wish.id):
        done, failed = done + (error is None), failed + (error is not None)
        if done + failed == _LETTERS_MAX:
            break
    left = in_order(wish.id)[: _LETTERS_MAX + 1].count()
    return f"{done} handed over, {failed} failed again, {left} wait"


def _letter(row: DeadLetter) -> Foreseen:
    refusal = "It was redelivered before." if row.redelivered_at else ""
    title = f"{row.type} for {row.subscription}"
    return Foreseen(str(row.pk), title, f"Handed over once more. Last error: {row.error}", refusal)


def _redeliver(wish: Wish) -> str:
    redeliver(uuid_of(wish))
    return "is handed over"


def _deliveries() -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.using("default").select_related("endpoint").defer("body")


def _delivery(row: WebhookDelivery) -> Foreseen:
    return Foreseen(
        str(row.pk), f"{row.type} to {row.endpoint.url}", f"It is {row.state}; it is due at once."
    )


def _send_again(wish: Wish) -> str:
    delivery_id = uuid_of(wish)
    rows = WebhookDelivery.objects.using("default").filter(pk=delivery_id)
    client = rows.values_list("endpoint__client", flat=True).first()
    if client is None:
        raise NoSuchSubjectError(f"There is no delivery {delivery_id}.")
    send_again(client, delivery_id, now=wish.now)
    return "is sent again"


def _endpoint(row: WebhookEndpoint) -> Foreseen:
    now = "on" if row.disabled_at is None else f"off ({row.disabled_reason})"
    return Foreseen(str(row.pk), f"{row.url} of {row.client}", f"It is {now} now.")


def _turn(is_enabled: bool) -> Callable[[Wish], str]:  # noqa: FBT001 - which of the two acts
    def turn(wish: Wish) -> str:
        endpoint_id = uuid_of(wish)
        rows = WebhookEndpoint.objects.using("default").filter(pk=endpoint_id)
        client = rows.values_list("client", flat=True).first()
        if client is None:
            raise NoSuchSubjectError(f"There is no endpoint {endpoint_id}.")
        update_endpoint(client, endpoint_id, EndpointDraft(is_enabled=is_enabled), now=wish.now)
        return "is on" if is_enabled else "is off"

    return turn


ACTS = (
    Act(
        "subscription-pause",
        "Pause",
        "It stands still where it is. Nothing is lost, and its lag grows.",
        _foresee_by_name(lambda _name: "Waits where it stands, in every process."),
        _pause,
        is_dangerous=True,
        undo="subscription-resume",
    ),
    Act(
        "subscription-resume",
        "Let it go on",
        "It goes on where it waits, and catches up.",
        _foresee_by_name(lambda _name: "Reads on from where it stands."),
        _resume,
        undo="subscription-pause",
    ),
    Act(
        "subscription-replay",
        "Replay",
        "Events of the past are handed over once more, beside what it reads by itself, by the workers.",
        _foresee_replay,
        _replay,
        form=ReplayForm,
    ),
    Act(
        "dead-letters-redeliver",
        "Redeliver all",
        f"Every dead letter is handed over once more, at most {_LETTERS_MAX} at a time.",
        _foresee_by_name(_letters_of),
        _redeliver_all,
        kept=Kept.AROUND,
    ),
    Act(
        "dead-letter-redeliver",
        "Redeliver",
        "It is handed to its subscription once more, in this request. What fails again stays.",
        foreseeing(lambda: DeadLetter.objects.using("default").defer("payload"), _letter),
        _redeliver,
        kept=Kept.AROUND,
    ),
    Act(
        "delivery-send",
        "Send again",
        "The receiver gets the same id and the same bytes, with a fresh timestamp and signature.",
        foreseeing(_deliveries, _delivery),
        _send_again,
        kept=Kept.TOGETHER,
    ),
    Act(
        "endpoint-disable",
        "Turn off",
        "Nothing is sent to it; what comes meanwhile waits for 30 days.",
        foreseeing(lambda: WebhookEndpoint.objects.using("default"), _endpoint),
        _turn(is_enabled=False),
        kept=Kept.TOGETHER,
        is_dangerous=True,
        undo="endpoint-enable",
    ),
    Act(
        "endpoint-enable",
        "Turn on",
        "Its failures are forgotten, and what waits is sent.",
        foreseeing(lambda: WebhookEndpoint.objects.using("default"), _endpoint),
        _turn(is_enabled=True),
        kept=Kept.TOGETHER,
        undo="endpoint-disable",
    ),
)
