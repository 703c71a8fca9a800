from __future__ import annotations

import django_filters
from django.db.models import QuerySet

from tasks.models import Assignment


class AssignmentFilter(django_filters.FilterSet):  # type: ignore[misc]
    contractor = django_filters.NumberFilter(field_name="contractor_id")
    is_live = django_filters.BooleanFilter(
        method="live", help_text="Only claims that their holder may still write to, or only others."
    )

    class Meta:
        model = Assignment
        fields = ["state", "task", "task__project", "contractor", "is_live"]

    def live(
        self, assignments: QuerySet[Assignment], name: str, value: bool
    ) -> QuerySet[Assignment]:
        if value:
            return assignments.filter(state__in=Assignment.LEASED)
        return assignments.exclude(state__in=Assignment.LEASED)
