package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.state.internals.InMemoryTimeOrderedKeyValueChangeBuffer;
import org.apache.kafka.streams.state.internals.WrappedStateStore;

/** Plays one scenario and writes what happened next to its events. */
final class Play {
    private final ObjectNode scenario;
    private final Settings settings;
    private final JsonNode steps;

    Play(final JsonNode given) {
        this.scenario = given.deepCopy();
        this.settings = new Settings(scenario.path("config"));
        this.steps = scenario.path("topology");
        for (final String expected : new String[] {"describe", "dropped", "stores", "build_error", "digest"}) {
            scenario.remove(expected);
        }
        for (final JsonNode event : scenario.path("events")) {
            ((ObjectNode) event).remove(List.of("expect", "log", "fails"));
        }
    }

    /** The scenario with its expected fields. */
    ObjectNode run(final Ties ties) throws IOException {
        final Path directory = Files.createTempDirectory("oracle");
        final Properties properties = settings.properties(directory);
        try {
            final Topology topology;
            final Life life;
            try {
                topology = build(properties);
                scenario.put("describe", Description.of(topology));
                life = new Life(topology, properties, ties);
            } catch (final RuntimeException refused) {
                Oracle.trace(refused);
                scenario.remove("describe");
                scenario.put("build_error", refused.getClass().getSimpleName());
                return scenario;
            }
            live(life);
            return scenario;
        } finally {
            Utils.delete(directory.toFile());
        }
    }

    private Topology build(final Properties properties) {
        final Map<String, StoreSpec> specs = new HashMap<>();
        for (final JsonNode json : steps) {
            final Step step = new Step(json);
            if (step.has("store") && step.get("store").isObject()) {
                specs.put(step.inner("store").text("store"), new StoreSpec(step.inner("store")));
            } else if (step.text("op").equals("add_store") || step.text("op").equals("add_state_store")) {
                specs.put(step.text("store"), new StoreSpec(step));
            }
        }
        final Processors processors = new Processors(specs);
        return Papi.speaks(steps) ? new Papi(properties, processors).build(steps) : new Dsl(properties, processors).build(steps);
    }

    private void live(final Life life) {
        CallLog.take();
        final Rows rows = new Rows(steps, suppressChangelogs(life));
        boolean failed = false;
        for (final JsonNode json : scenario.path("events")) {
            final ObjectNode event = (ObjectNode) json;
            if (failed) {
                throw new Misread("an event behind the one that fails: " + event);
            }
            try {
                play(life, event);
            } catch (final RuntimeException fatal) {
                event.put("fails", fatal.getClass().getSimpleName());
                Oracle.trace(fatal);
                failed = true;
            }
            final ArrayNode log = CallLog.take();
            if (!failed) {
                if (!log.isEmpty()) {
                    event.set("log", log);
                }
                event.set("expect", rows.expectations(life.take()));
            }
        }
        if (failed) {
            closeQuietly(life);
            return;
        }
        scenario.put("dropped", Math.round(life.dropped()));
        scenario.set("stores", new Snapshot(settings.keepsHeaders()).of(life.driver()));
        life.close();
    }

    /** A driver whose task died may refuse to close cleanly; the scenario ends here either way. */
    private static void closeQuietly(final Life life) {
        try {
            life.close();
        } catch (final RuntimeException again) {
            CallLog.take();
        }
    }

    private void play(final Life life, final ObjectNode event) {
        if (event.has("advance_wall")) {
            life.advanceWallClock(event.get("advance_wall").longValue());
        } else if (event.has("restart")) {
            life.restart();
        } else {
            final Sources sources = new Sources(steps, settings);
            final String topic = event.get("topic").textValue();
            life.pipe(
                topic, event.get("ts").longValue(), sources.bytes(topic, "key", event.get("key")),
                sources.bytes(topic, "value", event.get("value")), headers(event));
        }
    }

    private static Headers headers(final JsonNode event) {
        final Headers headers = new RecordHeaders();
        for (final JsonNode header : event.path("headers")) {
            final byte[] value = header.get(1).isNull() ? null : header.get(1).textValue().getBytes(StandardCharsets.UTF_8);
            headers.add(header.get(0).textValue(), value);
        }
        return headers;
    }

    private static Set<String> suppressChangelogs(final Life life) {
        final Set<String> topics = new HashSet<>();
        life.driver().getAllStateStores().forEach((name, store) -> {
            StateStore inner = store;
            while (inner instanceof WrappedStateStore<?, ?, ?> wrapper) {
                inner = wrapper.wrapped();
            }
            if (inner instanceof InMemoryTimeOrderedKeyValueChangeBuffer) {
                topics.add("app-" + name + "-changelog");
            }
        });
        return topics;
    }
}
