"""Answers that several operations have in common."""

from __future__ import annotations

from gateway.http.reply import Reply
from gateway.model.accounts import Account
from gateway.s3.xml import XSI, Writer, escape

XML_TYPE = ("Content-Type", "application/xml")


def xml_reply(document: bytes, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, [XML_TYPE, *headers], document)


def owner(writer: Writer, account: Account, element: str = "Owner") -> None:
    """Who owns something."""
    writer.raw(
        f"<{element}><ID>{account.canonical_id}</ID><DisplayName>{escape(account.name)}</DisplayName></{element}>"
    )


def acl_document(account: Account) -> bytes:
    """The only access control list there is: the owner may do everything."""
    writer = Writer("AccessControlPolicy")
    owner(writer, account)
    writer.raw(
        f'<AccessControlList><Grant><Grantee xmlns:xsi="{XSI}" xsi:type="CanonicalUser"><ID>{account.canonical_id}</ID>'
        f"<DisplayName>{escape(account.name)}</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant>"
        "</AccessControlList>"
    )
    return writer.finish()
