"""Changing the secret: what another one sealed is sealed anew, in one transaction.

Keys are kept as an HMAC only, so they can't be converted: a process takes a key over when it is used (see
`access/keys.py`), as long as the older secret is still named among `other_secrets`.
"""

from dataclasses import dataclass, replace

from unigate.access.secrets import CannotOpen, Vault
from unigate.base.clock import now_ms
from unigate.base.errors import Conflict
from unigate.manage.desk import SECRET_NAME, Desk, json_text
from unigate.manage.live import reseal as reseal_mail
from unigate.manage.notifications import reseal as reseal_targets
from unigate.manage.webhooks import reseal as reseal_webhooks
from unigate.store import channels as channel_rows
from unigate.store import generations, settings_rows
from unigate.store import keys as key_rows
from unigate.store.channels import CredentialRow
from unigate.store.settings_rows import SettingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """What changing the secret did."""

    #: Channels' credentials and options that another secret had sealed.
    credentials: int
    options: int
    #: Secrets of webhooks and of targets of notifications likewise.
    webhooks: int
    #: Keys in use that are still known by another secret: taken over when they are used next.
    keys_left: int


async def reseal(desk: Desk) -> Resealed:
    """Seal everything with the secret of today. Conflict where something can't be opened with any secret that is known."""
    vault = desk.vault
    credentials = options = 0
    async with desk.db.writing() as tx:
        await generations.lock(tx)
        try:
            for rows in (await channel_rows.all_credentials(tx)).values():
                for row in rows:
                    if not vault.fresh(row.sealed):
                        await channel_rows.set_credential(tx, _credential(row, vault))
                        credentials += 1
            for channel in await channel_rows.all_channels(tx):
                if channel.options and not vault.fresh(channel.options):
                    context = f"options:{channel.id}"
                    sealed = vault.seal(vault.open(channel.options, context), context)
                    await channel_rows.set_channel(tx, replace(channel, options=sealed))
                    options += 1
            webhooks = await reseal_webhooks(tx, desk) + await reseal_targets(tx, desk)
            await reseal_mail(tx, desk)
        except CannotOpen as error:
            raise Conflict(f"{error}: name that secret among other_secrets, or give the credential anew.") from None
        mark = SettingRow(name=SECRET_NAME, value=json_text(vault.id), owned_by="", changed_at=now_ms())
        await settings_rows.put_setting(tx, mark)
        await generations.bump(tx, ["channels", "keys"])
        left = await key_rows.count_older(tx, vault.id)
    return Resealed(credentials=credentials, options=options, webhooks=webhooks, keys_left=left)


def _credential(row: CredentialRow, vault: Vault) -> CredentialRow:
    context = f"credential:{row.id}"
    text = vault.open(row.sealed, context)
    return replace(row, sealed=vault.seal(text, context), fingerprint=vault.fingerprint(text))
