import pytest

from app.broker.failure import exit_words, last_cause

LOG = """\
2026-11-22 18:08:28,130 WARN [QuorumController id=1] Performing controller activation. (org.apache.kafka.Q)
2026-11-22 18:08:29,130 ERROR Exiting Kafka due to fatal exception (kafka.Kafka$)
java.lang.RuntimeException: Stored node id 5 doesn't match previous node id 1
\tat org.apache.kafka.metadata.properties.MetaPropertiesEnsemble.verify(MetaPropertiesEnsemble.java:530)
Caused by: java.net.BindException: Address already in use
\t... 3 more
2026-11-22 18:08:29,131 INFO shut down (kafka.Kafka$)
"""


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (LOG, "java.net.BindException: Address already in use"),
        (
            "\n".join(LOG.splitlines()[:4]),
            "java.lang.RuntimeException: Stored node id 5 doesn't match previous node id 1",
        ),
        ("\n".join(LOG.splitlines()[:2]), "Exiting Kafka due to fatal exception (kafka.Kafka$)"),
        ("Invalid maximum heap size: -Xmx0m\nthe end\n", "Invalid maximum heap size: -Xmx0m"),
        ("2026-11-22 18:08:28,130 INFO fine (x)\n", ""),
        ("", ""),
    ],
)
def test_the_cause_that_stands_last_is_told(log: str, cause: str) -> None:
    assert last_cause(log) == cause


def test_exit_statuses_in_words() -> None:
    assert [exit_words(status) for status in (1, -9, -99)] == ["exit status 1", "SIGKILL", "signal 99"]
