"""Throttles that fail open: losing the cache must not stop the work."""

from __future__ import annotations

import logging
from typing import Any

import redis
from rest_framework.request import Request
from rest_framework.throttling import ScopedRateThrottle

logger = logging.getLogger(__name__)


class ScopedThrottle(ScopedRateThrottle):
    """DRF's per-scope throttle (`throttle_scope` on the view)."""

    def allow_request(self, request: Request, view: Any) -> bool:
        try:
            return super().allow_request(request, view)
        except redis.exceptions.RedisError:
            logger.warning("The cache is away: requests are not being throttled.")
            return True
