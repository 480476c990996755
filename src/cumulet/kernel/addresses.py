"""Which addresses are not to be called for others: those that mean more to this machine than to who names them."""

import ipaddress

_CREDENTIALS = ipaddress.ip_address("fd00:ec2::254")


def serves_credentials(host: str) -> bool:
    """Whether it is an address that clouds serve their machines' credentials at: link-local, or EC2's beside those."""
    address = _address(host)
    return address is not None and (address.is_link_local or address == _CREDENTIALS)


def is_of_this_machine(host: str) -> bool:
    """Whether it is an address that leads back to this machine, wherever it is used: loopback, or none at all (0.0.0.0)."""
    address = _address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
