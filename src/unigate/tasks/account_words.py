"""What accounts are told, in words: title, text and values of an event, in English and in Chinese. Pure.

Texts are plain; a link to the page for topping up is given beside them, since forms show it in their own ways.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from unigate.base.clock import utc
from unigate.base.money import format_usd

Language = Literal["en", "zh"]
_CENT = 10_000_000
#: Prices of one message that are named one by one.
_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An event in words."""

    title: str
    #: A sentence or a few, without the link.
    text: str
    #: In the order of the event; strings, or whole numbers.
    values: Sequence[str | int]
    #: What a program reads, beside these.
    data: Mapping[str, object]
    #: What stands between the text and a link that leads on, "" where none does.
    onward: str = ""


#: Event -> language -> title and text, into which the values are put by their places.
# ruff: noqa: RUF001 - Chinese has punctuation of its own
_WORDS: Mapping[str, Mapping[Language, tuple[str, str]]] = {
    "balance.low": {
        "en": ("Your balance is low", "{1} left."),
        "zh": ("您的额度即将用尽", "您的额度即将用尽，当前剩余额度为 {1}"),
    },
    "balance.empty": {
        "en": ("Your balance is used up", "A call was refused, since it would cost more than is left: {0}."),
        "zh": ("您的额度已用尽", "有请求因额度不足被拒绝，当前剩余额度为 {0}"),
    },
    "key.budget": {
        "en": ("A key has used {3}% of its budget", "The key {0} has used {1} of its budget of {2} ({4})."),
        "zh": ("令牌预算已使用 {3}%", "令牌 {0} 已使用 {1}，预算为 {2}（{4}）。"),
    },
    "key.budget.refused": {
        "en": (
            "A key's budget is used up",
            "A call of the key {0} was refused: {1} of its budget of {2} are used ({4}).",
        ),
        "zh": ("令牌预算已用尽", "令牌 {0} 的请求因预算不足被拒绝：已使用 {1}，预算为 {2}（{4}）。"),
    },
    "key.expiring": {
        "en": ("A key expires soon", "The key {0} expires on {1}."),
        "zh": ("令牌即将过期", "令牌 {0} 将于 {1} 过期。"),
    },
    "task.succeeded": {
        "en": ("A task has succeeded", "The task {0} ({1}) has succeeded."),
        "zh": ("任务已完成", "任务 {0}（{1}）已完成。"),
    },
    "task.failed": {
        "en": ("A task has failed", "The task {0} ({1}) has failed."),
        "zh": ("任务失败", "任务 {0}（{1}）失败。"),
    },
    "topup.done": {
        "en": ("Your balance was topped up", "{0} were added to your balance."),
        "zh": ("充值成功", "您的账户已充值 {0}。"),
    },
    "channel.parked": {
        "en": ("A channel is out of use", "The channel {0} is out of use for now: {1}."),
        "zh": ("渠道已停用", "渠道 {0} 暂时停用：{1}。"),
    },
    "channel.recovered": {
        "en": ("A channel is back in use", "The channel {0} is back in use; it was out of use for: {1}."),
        "zh": ("渠道已恢复", "渠道 {0} 已恢复使用，此前停用原因：{1}。"),
    },
    "credential.parked": {
        "en": ("A credential is out of use", "A credential of the channel {0} (ends in {2}) is out of use: {1}."),
        "zh": ("渠道密钥已停用", "渠道 {0} 的密钥（末尾 {2}）已停用：{1}。"),
    },
    "user.balance_low": {
        "en": ("A user's balance is low", "The user {0} has {1} left."),
        "zh": ("用户额度不足", "用户 {0} 的剩余额度为 {1}。"),
    },
    "price.changed": {
        "en": ("Prices change", "{4}"),
        "zh": ("价格变动", "{4}"),
    },
    "price.missing": {
        "en": ("A price is missing", "A call of {0} ({1}) was refused, since no price is set for it."),
        "zh": ("缺少价格", "{0}（{1}）没有设置价格，调用被拒绝。"),
    },
    "ledger.mismatch": {
        "en": ("The books do not agree", "The check of the ledger found {0} mismatches; the first: {1}."),
        "zh": ("账目不一致", "账本检查发现 {0} 处不一致，第一处：{1}。"),
    },
    "system.backlog": {
        "en": ("Work is piling up", "{0}: {1}."),
        "zh": ("系统积压", "{0}：{1}。"),
    },
    "target.off": {
        "en": ("Your notifications were switched off", "Nothing is sent to {0} any more: {1}."),
        "zh": ("通知已关闭", "不再向 {0} 发送通知：{1}。"),
    },
    "test": {
        "en": ("Test notification", "This message only tries the way to you."),
        "zh": ("测试通知", "这是一条测试通知。"),
    },
}
_ONWARD: Mapping[Language, str] = {"en": " Top up: ", "zh": "，请及时充值："}
_PERIODS: Mapping[Language, Mapping[str, str]] = {
    "en": {"day": "today", "month": "this month", "total": "in all"},
    "zh": {"day": "今日", "month": "本月", "total": "总计"},
}
_BACKLOGS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "messages": "Messages have waited for too long",
        "tasks": "Tasks were not looked after for too long",
        "journal": "Records of calls wait to be moved into the database",
    },
    "zh": {"messages": "消息投递积压", "tasks": "任务处理积压", "journal": "调用记录尚未写入数据库"},
}


def said(event: str, facts: Mapping[str, Any], language: Language) -> Said:
    """An event in words; `facts` as in the row of news, with names beside ids."""
    shown, values, data = _parts(event, facts, language)
    title, text = _WORDS["key.budget.refused" if facts.get("refused") else event][language]
    onward = _ONWARD[language] if event in {"balance.low", "balance.empty"} else ""
    filled = title.format(*shown)
    if event == "balance.low":
        values = [filled, *values]
    return Said(title=filled, text=text.format(*shown), values=values, data=data, onward=onward)


def money(nano: int) -> str:
    """An amount for people: whole cents, rounded down, and in full below one."""
    if 0 < abs(nano) < _CENT:
        return f"${format_usd(nano)}"
    whole, rest = divmod(abs(nano) // _CENT, 100)
    return f"{'-' if nano < 0 else ''}${whole}.{rest:02d}"


def _parts(
    event: str, facts: Mapping[str, Any], language: Language
) -> tuple[Sequence[str | int], list[str | int], dict[str, object]]:
    """What stands in the words, the values of the event, and what a program reads."""
    values: list[str | int]
    if event in {"balance.low", "balance.empty"}:
        values = [money(facts["balance"])]
        data: dict[str, object] = {"balance_usd": format_usd(facts["balance"])}
        if event == "balance.low":
            return ["", *values], values, {**data, "threshold_usd": format_usd(facts["threshold"])}
        return values, values, data
    if event == "key.budget":
        values = [facts["key"], money(facts["spent"]), money(facts["budget"])]
        period = _period(facts["window"])
        told = {"key_id": facts["key_id"], "key": facts["key"], "period": period, "percent": facts["percent"]}
        usd = {"spent_usd": format_usd(facts["spent"]), "budget_usd": format_usd(facts["budget"])}
        return [*values, facts["percent"], _PERIODS[language][period]], values, {**told, **usd}
    if event == "price.changed":
        return _prices(facts["prices"], facts["count"])
    if event == "system.backlog":
        what = _BACKLOGS[language][facts["what"]]
        return [what, facts["figure"]], [what, facts["figure"]], dict(facts)
    values = [_DATES[name](facts[name]) if name in _DATES else facts[name] for name in _VALUES[event]]
    return values, values, {_USD.get(name, name): _plain(name, value) for name, value in facts.items()}


def _day(at: int) -> str:
    return f"{utc(at):%Y-%m-%d}"


#: Event -> the facts that are its values.
_VALUES: Mapping[str, Sequence[str]] = {
    "key.expiring": ("key", "expires_at"),
    "task.succeeded": ("task_id", "operation"),
    "task.failed": ("task_id", "operation"),
    "topup.done": ("amount",),
    "channel.parked": ("channel", "reason"),
    "channel.recovered": ("channel", "reason"),
    "credential.parked": ("channel", "reason", "last4"),
    "user.balance_low": ("user", "balance"),
    "price.missing": ("model", "operation"),
    "ledger.mismatch": ("count", "first"),
    "target.off": ("address", "why"),
    "test": (),
}
_DATES = {"expires_at": _day, "amount": money, "balance": money}
_USD = {"amount": "amount_usd", "balance": "balance_usd", "threshold": "threshold_usd"}


def _plain(name: str, value: Any) -> object:
    """A fact as a program reads it."""
    if name in _USD:
        return format_usd(value)
    return utc(value).isoformat().replace("+00:00", "Z") if name == "expires_at" else value


def _period(window: str) -> str:
    """Of a window's id (`key_.../20261121`)."""
    return {1: "total", 6: "month"}.get(len(window.rpartition("/")[2]), "day")


def _prices(
    prices: Sequence[Mapping[str, Any]], count: int
) -> tuple[Sequence[str | int], list[str | int], dict[str, object]]:
    """Changes of prices, one line each."""
    lines = [
        f"{one['title']}: {one['old'] or '-'} -> {one['new'] or '-'} ({_day(one['at'])})" for one in prices[:_NAMED]
    ]
    if count > len(lines):
        lines.append(f"+ {count - len(lines)}")
    first = prices[0]
    values: list[str | int] = [first["title"], first["old"], first["new"], _day(first["at"])]
    told = [{**one, "at": _plain("expires_at", one["at"])} for one in prices]
    return [*values, "\n".join(lines)], values, {"prices": told}
