"""Asks the cluster's DNS as a pod does: through the address of its Service, which the service proxy translates."""

from ipaddress import IPv4Address

import dns.exception
import dns.message
import dns.query
import dns.rcode

ANSWER_SECONDS = 1.0


def knows(server: IPv4Address, name: str) -> bool:
    """Whether ``server`` says an IPv4 address for ``name`` now; a refusal, an error or silence is a no.

    The server listens, and refuses, before it has read the cluster's Services; and the proxy is healthy before it knows
    where the server is (CoreDNS 1.15, kube-proxy 1.37). Only an answer shows both.
    """
    question = dns.message.make_query(name, "A")
    try:
        answer = dns.query.udp(question, str(server), timeout=ANSWER_SECONDS)
    except (OSError, dns.exception.DNSException):
        return False
    return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)
