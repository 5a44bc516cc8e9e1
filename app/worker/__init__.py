"""The stream engine on Kafka: fetch, process, produce, commit, restore, and what happens when the group changes."""
