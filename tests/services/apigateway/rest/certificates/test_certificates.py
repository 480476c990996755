"""Client certificates."""

from collections.abc import Callable
from typing import Any

from cryptography import x509

Refuse = Callable[..., tuple[str, str]]


def test_a_certificate_is_one(gateway: Any, deployed: Any, refused: Refuse) -> None:
    made = gateway.generate_client_certificate(description="for backends")
    parsed = x509.load_pem_x509_certificate(made["pemEncodedCertificate"].encode())
    assert parsed.not_valid_before_utc.timestamp() == made["createdDate"].timestamp()
    assert (made["expirationDate"] - made["createdDate"]).days == 365
    id = made["clientCertificateId"]
    operation = {"op": "replace", "path": "/clientCertificateId", "value": id}
    gateway.update_stage(restApiId=deployed["id"], stageName="dev", patchOperations=[operation])
    assert refused(gateway.delete_client_certificate, clientCertificateId=id)[0] == "BadRequestException"
    gateway.delete_stage(restApiId=deployed["id"], stageName="dev")
    gateway.delete_client_certificate(clientCertificateId=id)
    assert gateway.get_client_certificates()["items"] == []
