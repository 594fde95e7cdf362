"""Client assertions: JWTs that an application signs with its certificate, or that another issuer signed for it."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def is_signed(assertion: str, certificates: Sequence[bytes]) -> bool:
    """Whether one of the PEM certificates signed it (PS256 or RS256); without any, whether it has a JWT's form."""
    parts = assertion.split(".")
    if len(parts) != 3:
        return False
    try:
        header, _, signature = (_decoded(part) for part in parts)
        algorithm = msgspec.json.decode(header).get("alg")
    except (binascii.Error, msgspec.DecodeError, AttributeError):
        return False
    signed = f"{parts[0]}.{parts[1]}".encode()
    return not certificates or any(_fits(pem, algorithm, signature, signed) for pem in certificates)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _fits(pem: bytes, algorithm: str, signature: bytes, signed: bytes) -> bool:
    key = x509.load_pem_x509_certificate(pem).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    scheme: Any = padding.PKCS1v15()
    if algorithm == "PS256":
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
    try:
        key.verify(signature, signed, scheme, hashes.SHA256())
    except InvalidSignature:
        return False
    return True
