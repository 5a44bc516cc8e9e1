package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyConfig;
import org.apache.kafka.streams.kstream.CogroupedKStream;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;

/** Steps of the DSL to a topology (FORMAT.md §3). */
final class Dsl {
    private final StreamsBuilder builder;
    private final Properties properties;
    private final Processors processors;
    private final Map<String, Object> bound = new HashMap<>();
    private final Streams streams;

    Dsl(final Properties properties, final Processors processors) {
        this.builder = new StreamsBuilder(new TopologyConfig(new StreamsConfig(properties)));
        this.properties = properties;
        this.processors = processors;
        this.streams = new Streams(processors, bound);
    }

    Topology build(final Iterable<JsonNode> steps) {
        for (final JsonNode json : steps) {
            final Step step = new Step(json);
            final Object result = apply(step);
            if (step.has("let")) {
                bound.put(step.text("let"), result);
            }
        }
        return builder.build(properties);
    }

    private Object apply(final Step step) {
        switch (step.text("op")) {
            case "stream" -> {
                return stream(step);
            }
            case "table" -> {
                return table(step);
            }
            case "global_table" -> {
                return globalTable(step);
            }
            case "add_store" -> builder.addStateStore(new StoreSpec(step).builder());
            case "add_global_store" -> builder.addGlobalStore(
                new StoreSpec(step.inner("store")).builder().withLoggingDisabled(), step.text("topic"), required(step),
                processors.terminal(step.get("processor")));
            case "cogroup" -> {
                return cogroup(step);
            }
            default -> {
                return applyTo(bound(step.text("from")), step);
            }
        }
        return null;
    }

    private Object bound(final String name) {
        final Object found = bound.get(name);
        if (found == null) {
            throw new Misread("nothing is bound to " + name);
        }
        return found;
    }

    @SuppressWarnings("unchecked")
    private Object applyTo(final Object from, final Step step) {
        if (step.text("op").endsWith("join")) {
            return Joins.join(from, bound(step.text("other")), step);
        }
        if (from instanceof KStream<?, ?> stream) {
            return streams.apply((KStream<Object, Object>) stream, step);
        }
        if (from instanceof KTable<?, ?> table) {
            return Tables.apply((KTable<Object, Object>) table, step);
        }
        return Aggregations.apply(from, step);
    }

    private static Consumed<Object, Object> required(final Step step) {
        final Consumed<Object, Object> consumed = Options.consumed(step);
        return consumed == null ? Consumed.with(null, null) : consumed;
    }

    private Object stream(final Step step) {
        final Consumed<Object, Object> consumed = required(step);
        if (step.has("pattern")) {
            return builder.stream(Pattern.compile(step.text("pattern")), consumed);
        }
        final List<String> topics = Arrays.asList(step.texts("topics"));
        return builder.stream(topics, consumed);
    }

    private Object table(final Step step) {
        final Consumed<Object, Object> consumed = Options.consumed(step);
        final Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> materialized = Options.keyValue(step);
        if (materialized == null) {
            return consumed == null ? builder.table(step.text("topic")) : builder.table(step.text("topic"), consumed);
        }
        return consumed == null
            ? builder.table(step.text("topic"), materialized)
            : builder.table(step.text("topic"), consumed, materialized);
    }

    private GlobalKTable<Object, Object> globalTable(final Step step) {
        final Consumed<Object, Object> consumed = Options.consumed(step);
        final Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> materialized = Options.keyValue(step);
        if (materialized == null) {
            return consumed == null ? builder.globalTable(step.text("topic")) : builder.globalTable(step.text("topic"), consumed);
        }
        return consumed == null
            ? builder.globalTable(step.text("topic"), materialized)
            : builder.globalTable(step.text("topic"), consumed, materialized);
    }

    @SuppressWarnings("unchecked")
    private CogroupedKStream<Object, Object> cogroup(final Step step) {
        CogroupedKStream<Object, Object> all = null;
        for (final JsonNode input : step.get("inputs")) {
            final KGroupedStream<Object, Object> grouped = (KGroupedStream<Object, Object>) bound(input.get(0).textValue());
            all = all == null
                ? grouped.cogroup(Folds.aggregator(input.get(1)))
                : all.cogroup(grouped, Folds.aggregator(input.get(1)));
        }
        return all;
    }
}
