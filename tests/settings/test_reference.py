from pathlib import Path

from app.settings import load, reference
from app.settings.variables import SETTINGS


def test_the_generated_pages_are_current() -> None:
    assert [path.name for path in reference.stale()] == [], "run scripts/docs"


def test_every_setting_is_described_in_both_pages() -> None:
    page, example = reference.settings_page(), reference.example()
    for setting in SETTINGS:
        assert setting.description, setting.path
        assert f"`{setting.variable}`" in page
        assert f"\n# {setting.variable}=" in example
        assert setting.alias is None or f"`{setting.alias}`" in page
        assert setting.flag is None or f"`{setting.flag}`" in page


def test_the_example_changes_nothing_as_it_stands(directory: Path) -> None:
    (directory / ".env").write_text(reference.example())
    assert set(load([], {}).origins.values()) == {"default"}


def test_the_example_shows_the_defaults(directory: Path) -> None:
    """Uncommented line by line it says what holds anyway."""
    defaults = load([], {}).settings
    given = [
        f"{setting.variable}={setting.default}" for setting in SETTINGS if setting.default and not skipped(setting.path)
    ]
    assert all(f"# {line}\n" in reference.example() for line in given)
    (directory / ".env").write_text("\n".join(given))
    assert load([], {}).settings == defaults


def skipped(path: str) -> bool:
    """Refused where SASL is not used."""
    return path == "kafka.sasl_mechanism"
