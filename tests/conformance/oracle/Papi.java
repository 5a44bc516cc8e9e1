package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyConfig;
import org.apache.kafka.streams.processor.TimestampExtractor;

/** Steps of the Topology API to a topology. */
final class Papi {
    private static final Set<String> OWN_OPS = Set.of("add_source", "add_processor", "add_read_only_store", "add_state_store");

    private final Topology topology;
    private final Processors processors;

    Papi(final Properties properties, final Processors processors) {
        this.topology = new Topology(new TopologyConfig(new StreamsConfig(properties)));
        this.processors = processors;
    }

    /** Whether these steps are written in this vocabulary. */
    static boolean speaks(final Iterable<JsonNode> steps) {
        for (final JsonNode step : steps) {
            final String op = step.get("op").textValue();
            if (OWN_OPS.contains(op)) {
                return true;
            }
        }
        return false;
    }

    Topology build(final Iterable<JsonNode> steps) {
        for (final JsonNode json : steps) {
            apply(new Step(json));
        }
        return topology;
    }

    private void apply(final Step step) {
        final String name = step.text("name");
        switch (step.text("op")) {
            case "add_source" -> topology.addSource(
                (AutoOffsetReset) null, name, extractor(step), deserializer(step, "key"), deserializer(step, "value"),
                step.texts("topics"));
            case "add_processor" -> topology.addProcessor(
                name, processors.supplier(step.get("processor")), step.texts("parents"));
            case "add_sink" -> topology.addSink(
                name, step.text("topic"), serializer(step, "key"), serializer(step, "value"), step.texts("parents"));
            case "add_state_store" -> topology.addStateStore(new StoreSpec(step).builder(), step.texts("processors"));
            case "connect_stores" -> topology.connectProcessorAndStateStores(step.text("processor"), step.texts("stores"));
            case "add_read_only_store" -> topology.addReadOnlyStateStore(
                new StoreSpec(step.inner("store")).builder(), step.text("source"), extractor(step), deserializer(step, "key"),
                deserializer(step, "value"), step.text("topic"), name, processors.terminal(step.get("processor")));
            default -> throw new Misread("no op of the Topology API: " + step.json());
        }
    }

    private static TimestampExtractor extractor(final Step step) {
        return step.has("extractor") ? Extractors.named(step.text("extractor")) : null;
    }

    private static Deserializer<Object> deserializer(final Step step, final String field) {
        final Serde<Object> serde = step.serde(field);
        return serde == null ? null : serde.deserializer();
    }

    private static Serializer<Object> serializer(final Step step, final String field) {
        final Serde<Object> serde = step.serde(field);
        return serde == null ? null : serde.serializer();
    }
}
