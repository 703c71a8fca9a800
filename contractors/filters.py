from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from contractors.models import Contractor


class ContractorFilter(django_filters.FilterSet):  # type: ignore[misc]
    state = django_filters.MultipleChoiceFilter(choices=Contractor.State.choices)
    area = django_filters.CharFilter(
        method="in_area", help_text="Lives there today: US-TX, or US for every part of it."
    )
    q = django_filters.CharFilter(method="named", help_text="Part of the name or email.")

    class Meta:
        model = Contractor
        fields = ["state", "area", "q"]

    def in_area(
        self, contractors: QuerySet[Contractor], name: str, value: str
    ) -> QuerySet[Contractor]:
        return contractors.filter(Q(area_today=value) | Q(area_today__startswith=f"{value}-"))

    def named(
        self, contractors: QuerySet[Contractor], name: str, value: str
    ) -> QuerySet[Contractor]:
        return contractors.filter(Q(user__name__icontains=value) | Q(user__email__icontains=value))
