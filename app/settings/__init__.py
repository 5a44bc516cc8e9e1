"""Settings: from flags, environment, `.env` and secret files to one frozen tree."""

from app.settings.loading import DEFAULT, Loaded, Settings, load
from app.settings.model import (
    BrokerSettings,
    ConsumerSettings,
    HttpSettings,
    KafkaSettings,
    LogSettings,
    ProducerSettings,
    SettingsTree,
    StreamsSettings,
)

__all__ = [
    "DEFAULT",
    "BrokerSettings",
    "ConsumerSettings",
    "HttpSettings",
    "KafkaSettings",
    "Loaded",
    "LogSettings",
    "ProducerSettings",
    "Settings",
    "SettingsTree",
    "StreamsSettings",
    "load",
]
