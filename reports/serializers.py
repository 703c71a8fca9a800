"""Reports as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from reports import queries


class MoneySerializer(serializers.Serializer[queries.Money]):
    currency = serializers.CharField()
    reserved_cents = serializers.IntegerField(
        help_text="Put aside by the claims of the day: the prices pinned on them"
    )
    earned_cents = serializers.IntegerField(help_text="Posted to contractors on the day")
    paid_cents = serializers.IntegerField(help_text="Of what was earned that day, paid by now")


class FiguresSerializer(serializers.Serializer[queries.Figures]):
    claimed = serializers.IntegerField()
    submitted = serializers.IntegerField(help_text="First hand-ins; rework is not counted again")
    accepted = serializers.IntegerField(help_text="Decided by rule or reviewer")
    earned = serializers.IntegerField(help_text="Earnings posted")
    paid = serializers.IntegerField(help_text="Of the earnings posted that day, paid by now")
    money = MoneySerializer(many=True)


class DaySerializer(FiguresSerializer):
    date = serializers.DateField()


class ReservedSerializer(serializers.Serializer[queries.Money]):
    currency = serializers.CharField()
    reserved_cents = serializers.IntegerField()


class ThroughputSerializer(serializers.Serializer[Any]):
    """What happened per day. Days are those of the time zone `tz`."""

    project = serializers.IntegerField(allow_null=True, help_text="Null: all projects")
    tz = serializers.CharField()
    totals = FiguresSerializer()
    reserved_now = ReservedSerializer(
        many=True, help_text="On claims not decided yet, whenever they were made"
    )
    days = DaySerializer(many=True)
