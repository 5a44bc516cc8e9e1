package oracle;

import java.time.Duration;
import java.util.Map;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** The option objects of the DSL from a step's fields; null where no field of theirs is present. */
final class Options {
    private Options() {}

    static Consumed<Object, Object> consumed(final Step step) {
        if (!step.hasAny("key", "value", "extractor", "reset", "name")) {
            return null;
        }
        Consumed<Object, Object> consumed = Consumed.with(step.serde("key"), step.serde("value"));
        if (step.has("extractor")) {
            consumed = consumed.withTimestampExtractor(Extractors.named(step.text("extractor")));
        }
        if (step.has("reset")) {
            consumed = consumed.withOffsetResetPolicy(
                step.text("reset").equals("earliest") ? AutoOffsetReset.earliest() : AutoOffsetReset.latest());
        }
        return step.has("name") ? consumed.withName(step.text("name")) : consumed;
    }

    static Produced<Object, Object> produced(final Step step) {
        Produced<Object, Object> produced = Produced.with(step.serde("key"), step.serde("value"));
        if (step.has("partitioner")) {
            produced = produced.withStreamPartitioner(partitioner(step));
        }
        return step.has("name") ? produced.withName(step.text("name")) : produced;
    }

    private static StreamPartitioner<Object, Object> partitioner(final Step step) {
        return Partitioners.named(Lambdas.Call.of(step.get("partitioner")));
    }

    static Grouped<Object, Object> grouped(final Step step) {
        return step.hasAny("name", "key", "value")
            ? Grouped.with(step.text("name"), step.serde("key"), step.serde("value"))
            : null;
    }

    static Repartitioned<Object, Object> repartitioned(final Step step) {
        if (!step.hasAny("name", "key", "value", "partitions")) {
            return null;
        }
        Repartitioned<Object, Object> options = Repartitioned.with(step.serde("key"), step.serde("value"));
        if (step.has("name")) {
            options = options.withName(step.text("name"));
        }
        return step.has("partitions") ? options.withNumberOfPartitions(step.get("partitions").intValue()) : options;
    }

    static Joined<Object, Object, Object> joined(final Step step) {
        if (!step.hasAny("name", "key", "value", "other_value", "grace")) {
            return null;
        }
        final Joined<Object, Object, Object> joined = Joined.with(
            step.serde("key"), step.serde("value"), step.serde("other_value"), step.text("name"));
        return step.has("grace") ? joined.withGracePeriod(step.millis("grace")) : joined;
    }

    static StreamJoined<Object, Object, Object> streamJoined(final Step step) {
        StreamJoined<Object, Object, Object> joined = StreamJoined.with(
            step.serde("key"), step.serde("value"), step.serde("other_value"));
        if (step.has("name")) {
            joined = joined.withName(step.text("name"));
        }
        if (step.has("store_name")) {
            joined = joined.withStoreName(step.text("store_name"));
        }
        if (step.has("store")) {
            joined = joined.withDslStoreSuppliers(Settings.suppliers(step.text("store")));
        }
        return step.isFalse("logging") ? joined.withLoggingDisabled() : joined;
    }

    static Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> keyValue(final Step step) {
        if (!step.has("materialized")) {
            return null;
        }
        final Step fields = step.inner("materialized");
        if (fields.has("versioned")) {
            final Duration history = StoreSpec.history(fields);
            return settled(fields, Materialized.as(Stores.persistentVersionedKeyValueStore(fields.text("name"), history)));
        }
        return materialized(fields);
    }

    static Materialized<Object, Object, WindowStore<Bytes, byte[]>> window(final Step step) {
        return step.has("materialized") ? materialized(step.inner("materialized")) : null;
    }

    static Materialized<Object, Object, SessionStore<Bytes, byte[]>> session(final Step step) {
        return step.has("materialized") ? materialized(step.inner("materialized")) : null;
    }

    private static <S extends StateStore> Materialized<Object, Object, S> materialized(final Step fields) {
        if (fields.has("name")) {
            return settled(fields, Materialized.as(fields.text("name")));
        }
        return settled(fields, Materialized.with(fields.serde("key"), fields.serde("value")));
    }

    private static <S extends StateStore> Materialized<Object, Object, S> settled(
            final Step fields, final Materialized<Object, Object, S> start) {
        Materialized<Object, Object, S> result = start;
        if (fields.has("key")) {
            result = result.withKeySerde(fields.serde("key"));
        }
        if (fields.has("value")) {
            result = result.withValueSerde(fields.serde("value"));
        }
        if (fields.has("caching")) {
            result = fields.isTrue("caching") ? result.withCachingEnabled() : result.withCachingDisabled();
        }
        if (fields.has("logging")) {
            result = fields.isFalse("logging") ? result.withLoggingDisabled() : result.withLoggingEnabled(Map.of());
        }
        if (fields.has("retention")) {
            result = result.withRetention(fields.millis("retention"));
        }
        return fields.has("store") ? result.withStoreType(Settings.suppliers(fields.text("store"))) : result;
    }
}
