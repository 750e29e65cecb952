"""The keys of blobs: what wraps them opens them, and what is kept of a customer's key tells nothing."""

from __future__ import annotations

import os

import pytest

from gateway.blobs.encryption.keys import (
    WRAPPED_BYTES,
    DataKey,
    Wrapper,
    WrappingKey,
    head,
    is_customer_key,
    new_data_key,
    salted,
)
from gateway.errors import BlobDamaged

SECRET = bytes(range(32))


@pytest.mark.parametrize("wrapper", Wrapper)
def test_a_wrapped_key_opens_with_what_wrapped_it(wrapper: Wrapper) -> None:
    key = new_data_key()
    wrapped = WrappingKey(SECRET, wrapper).wrap(key)
    assert len(wrapped) == WRAPPED_BYTES
    assert WrappingKey(SECRET, wrapper).unwrap(wrapped) == key
    assert key.secret not in wrapped
    told = head(wrapped)
    assert (told.wrapper, told.blob_id) == (wrapper, key.blob_id)


def test_another_key_does_not_open_it() -> None:
    wrapped = WrappingKey(SECRET, Wrapper.MASTER).wrap(new_data_key())
    with pytest.raises(BlobDamaged):
        WrappingKey(os.urandom(32), Wrapper.MASTER).unwrap(wrapped)


def test_every_bit_of_a_wrapped_key_counts() -> None:
    wrapping = WrappingKey(SECRET, Wrapper.MASTER)
    wrapped = wrapping.wrap(new_data_key())
    for place in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[place] ^= 0x10
        with pytest.raises(BlobDamaged):
            wrapping.unwrap(bytes(changed))
    with pytest.raises(BlobDamaged):
        wrapping.unwrap(wrapped[:-1])
    with pytest.raises(BlobDamaged):
        wrapping.unwrap(b"")


def test_a_master_keys_id_is_told_and_a_customers_is_not() -> None:
    key = new_data_key()
    master = WrappingKey(SECRET, Wrapper.MASTER)
    assert head(master.wrap(key)).wrapper_id == master.id != WrappingKey(os.urandom(32), Wrapper.MASTER).id
    assert head(WrappingKey(SECRET, Wrapper.CUSTOMER).wrap(key)).wrapper_id == bytes(8)


def test_a_key_that_a_customer_wrapped_is_not_opened_as_the_masters() -> None:
    wrapped = WrappingKey(SECRET, Wrapper.CUSTOMER).wrap(new_data_key())
    as_master = wrapped[:1] + b"\1" + WrappingKey(SECRET, Wrapper.MASTER).id + wrapped[10:]
    with pytest.raises(BlobDamaged):
        WrappingKey(SECRET, Wrapper.MASTER).unwrap(as_master)


def test_a_wrapped_key_of_a_known_form() -> None:
    """The format may not change: blobs are kept for years."""
    wrapped = WrappingKey(SECRET, Wrapper.MASTER).wrap(DataKey(bytes(32), bytes(range(16))))
    assert wrapped.hex() == KNOWN


KNOWN = (
    "0101ff6cd8b7f6c77da7000102030405060708090a0b0c0d0e0fd2f4dfb63883e81fd8f164a36ff5"
    "8821fd728561c5e7886b024d0abf5c5ea5dd29118240b921a701fa9a9d2698fb00aa"
)


def test_what_is_kept_of_a_customers_key() -> None:
    kept = salted(SECRET)
    assert is_customer_key(kept, SECRET)
    assert not is_customer_key(kept, os.urandom(32))
    assert SECRET not in kept
    assert kept != salted(SECRET)
    assert len(kept) == 16 + 32


def test_keys_are_in_no_repr() -> None:
    key = new_data_key()
    assert repr(key.secret) not in repr(key)
    assert "secret" not in repr(WrappingKey(SECRET, Wrapper.MASTER))


def test_a_wrapping_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32"):
        WrappingKey(b"short", Wrapper.CUSTOMER)
