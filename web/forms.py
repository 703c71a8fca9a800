"""What people fill in on pages. Shapes only: what is allowed is the services' business."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from payouts.models import Rail
from reviews.rules import REJECTION_REASONS


class DayInput(forms.DateInput):
    """A day with the browser's own picker."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class NeverEchoed(forms.PasswordInput):
    """A plain field whose value is never sent back, also not with an error."""

    input_type = "text"


class ResidenceForm(forms.Form):
    """A place (chosen from what the search found) and the day one moved there."""

    area = forms.CharField(
        max_length=6, error_messages={"required": _("Search for the place and choose it.")}
    )
    from_date = forms.DateField(
        label=_("Living there since"),
        widget=DayInput(),
        error_messages={"required": _("Say since which day.")},
    )


class PayoutMethodForm(forms.Form):
    """Where money goes; typed anew each time, never shown again."""

    rail = forms.ChoiceField(label=_("Way of paying"), choices=Rail.choices)
    account = forms.CharField(
        label=_("Account number"),
        max_length=70,
        widget=NeverEchoed(attrs={"autocomplete": "off"}),
        help_text=_("For Stripe: the account's id, acct_…"),
    )
    routing = forms.CharField(
        label=_("Routing number or bank code"),
        max_length=20,
        required=False,
        widget=NeverEchoed(attrs={"autocomplete": "off"}),
        help_text=_("Empty for Stripe."),
    )
    password = forms.CharField(
        label=_("Your password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=_("Being logged in is not enough for this."),
    )

    @property
    def details(self) -> dict[str, str]:
        """What the rail needs of it."""
        names = ("account", "routing")
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data[name]}


class ReasonForm(forms.Form):
    """Why, in a line."""

    reason = forms.CharField(max_length=500, required=False)


class NeededReasonForm(forms.Form):
    """Why, in a line that must be there."""

    reason = forms.CharField(label=_("Why"), max_length=500)


class AppealForm(forms.Form):
    """What speaks against a restriction."""

    text = forms.CharField(
        label=_("What speaks against it"), max_length=5000, widget=forms.Textarea
    )


class AppealAnswerForm(forms.Form):
    """The answer to an appeal."""

    answer = forms.CharField(label=_("Your answer"), max_length=5000, widget=forms.Textarea)
    overturn = forms.ChoiceField(
        label=_("The restriction"),
        choices=[("no", _("stays")), ("yes", _("is lifted"))],
    )


class RestrictForm(forms.Form):
    """Stopping somebody's new claims."""

    cause = forms.CharField(
        label=_("Cause"), max_length=200, help_text=_("In words the contractor understands.")
    )
    evidence = forms.CharField(
        label=_("Evidence"), max_length=5000, required=False, widget=forms.Textarea
    )
    scope = forms.ChoiceField(label=_("Where"))
    ends_on = forms.DateField(
        label=_("Until (UTC)"),
        required=False,
        widget=DayInput(),
        help_text=_("Empty: until somebody lifts it."),
    )

    def __init__(self, *arguments: Any, projects: list[tuple[str, str]], **more: Any) -> None:
        super().__init__(*arguments, **more)
        scope = self.fields["scope"]
        assert isinstance(scope, forms.ChoiceField)
        scope.choices = [("all", _("All projects")), *projects]

    @property
    def ends_at(self) -> datetime | None:
        """The beginning of the day, UTC."""
        day = self.cleaned_data["ends_on"]
        return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


class FindingsForm(forms.Form):
    """A reviewer's decision. Frame ranges are read beside it (`EvidenceForm`)."""

    outcome = forms.ChoiceField(label=_("Outcome"), widget=forms.RadioSelect)
    text = forms.CharField(
        label=_("In words, for the contractor"),
        max_length=5000,
        required=False,
        widget=forms.Textarea,
    )
    reason_code = forms.ChoiceField(
        label=_("Reason of a rejection"),
        required=False,
        choices=[("", _("Choose one")), *REJECTION_REASONS.items()],
    )
    guideline_clause = forms.CharField(
        label=_("Clause of the guideline that was not kept"), max_length=200, required=False
    )

    def __init__(self, *arguments: Any, outcomes: list[tuple[str, Any]], **more: Any) -> None:
        super().__init__(*arguments, **more)
        outcome = self.fields["outcome"]
        assert isinstance(outcome, forms.ChoiceField)
        outcome.choices = outcomes


class EvidenceForm(forms.Form):
    """One place in the video. A form that was left empty says nothing."""

    start_frame = forms.IntegerField(label=_("From frame"), min_value=0)
    end_frame = forms.IntegerField(label=_("To frame (exclusive)"), min_value=1)
    text = forms.CharField(label=_("What should be different"), max_length=500)


class EvidenceFormSet(forms.BaseFormSet[EvidenceForm]):
    """Up to twenty places; three empty ones are offered."""

    form = EvidenceForm
    renderer = None
    extra, min_num, max_num, absolute_max = 3, 0, 20, 20
    validate_min, validate_max = False, True
    can_delete = can_delete_extra = can_order = False
