"""Handing a connection over to another protocol after 101."""

import asyncio
from typing import cast

import pytest

from support.waiting import until
from unigate.base.errors import GatewayError
