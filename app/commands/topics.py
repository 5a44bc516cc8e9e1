"""`python -m app topics`: what this service uses on the cluster; with --delete --execute, the end of it."""

from collections.abc import Iterator

from app.commands.where import kafka_servers
from app.errors import ExitCode, UsageError
from app.kafka import usage as kafka_usage
from app.kafka.admin import open_admin
from app.kafka.clients import target
from app.kafka.usage import TopicUse, Usage, alive, survey
from app.loop import run as run_loop
from app.settings import Loaded


def run(loaded: Loaded, *, delete: bool = False, execute: bool = False) -> ExitCode:
    if execute and not delete:
        raise UsageError("--execute: belongs to --delete")
    run_loop(_run(loaded, plan=delete, execute=execute))
    return ExitCode.OK


async def _run(loaded: Loaded, *, plan: bool, execute: bool) -> None:
    settings = loaded.settings
    async with kafka_servers(settings) as servers:
        wanted = target(settings.kafka, tuple(servers), loaded.files.get("kafka.oauth_token"))
        async with open_admin(wanted) as admin:
            usage = await survey(admin, settings)
            print(f"Kafka at {', '.join(servers)}, cluster {usage.cluster.id}")
            print("\n".join(planned(usage) if plan else listed(usage)), flush=True)
            if execute:
                gone = await kafka_usage.delete(admin, usage)
                print("".join(f"deleted {what}\n" for what in gone), end="", flush=True)


def listed(usage: Usage) -> Iterator[str]:
    for topic in usage.topics:
        yield from _topic(topic)
    yield from (f"topic {name}: not there" for name in usage.absent)
    yield from _group(usage)


def _topic(topic: TopicUse) -> Iterator[str]:
    state = topic.state
    lag = f", lag {topic.lag:,}" if topic.read else ""
    partitions = count(state.partitions, "partition")
    yield f"topic {state.name}: {partitions}, {count(state.replicas, 'copy')}, {count(topic.records, 'record')}{lag}"
    if topic.configs is None:
        yield "  configuration: no permission to see it"
    else:
        yield f"  {' '.join(f'{name}={value}' for name, value in topic.configs.items())}"
    for partition in topic.partitions:
        line = f"  partition {partition.number}: offsets {partition.first} to {partition.end}"
        if topic.read:
            committed = "nothing committed" if partition.committed is None else f"committed {partition.committed}"
            line += f", {committed}, lag {partition.lag}"
        yield line
    unled = state.partitions - len(topic.partitions)
    if unled:
        yield f"  {count(unled, 'partition')} without a leader"


def _group(usage: Usage) -> Iterator[str]:
    group = usage.group
    if not usage.group_exists:
        yield f"group {group.name}: not there"
        return
    yield f"group {group.name}: {group.state}, {count(len(group.members), 'member')}"
    yield from (f"  {member.id} at {member.host.removeprefix('/')}" for member in group.members)


def planned(usage: Usage) -> Iterator[str]:
    doomed = [f"group {usage.group.name}"] if usage.group_exists else []
    doomed += [
        f"topic {topic.state.name} with {count(topic.state.partitions, 'partition')} and "
        f"{count(topic.records, 'record')}"
        for topic in usage.topics
    ]
    if not doomed:
        yield "there is nothing to delete"
        return
    yield "to be deleted:"
    yield from (f"  {what}" for what in doomed)
    if usage.group.members:
        yield f"{alive(usage.group)}: end them first, --execute refuses meanwhile"
    yield "producers are not members of anything: end them, too; --delete --execute deletes"


def count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
