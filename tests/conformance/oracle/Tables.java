package oracle;

import java.time.Duration;
import java.util.function.BiFunction;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.ValueTransformerWithKey;
import org.apache.kafka.streams.kstream.ValueTransformerWithKeySupplier;
import org.apache.kafka.streams.processor.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueStore;

/** Steps on a table. Joins are in {@link Joins}. */
final class Tables {
    private Tables() {}

    static Object apply(final KTable<Object, Object> table, final Step step) {
        return switch (step.text("op")) {
            case "filter" -> filter(table, step, true);
            case "filter_not" -> filter(table, step, false);
            case "map_values" -> mapValues(table, step);
            case "transform_values" -> transformValues(table, step);
            case "to_stream" -> toStream(table, step);
            case "group_by" -> {
                final var fn = Lambdas.pairMapper(step.get("fn"));
                final var grouped = Options.grouped(step);
                yield grouped == null ? table.groupBy(fn::apply) : table.groupBy(fn::apply, grouped);
            }
            case "suppress" -> table.suppress(suppressed(step));
            default -> throw new Misread("no op of a table: " + step.json());
        };
    }

    private static KTable<Object, Object> filter(final KTable<Object, Object> table, final Step step, final boolean keep) {
        final var pred = Lambdas.predicate(step.get("pred"));
        final Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = Options.keyValue(step);
        if (store == null && !step.has("name")) {
            return keep ? table.filter(pred::apply) : table.filterNot(pred::apply);
        }
        if (store == null) {
            return keep ? table.filter(pred::apply, step.named()) : table.filterNot(pred::apply, step.named());
        }
        if (!step.has("name")) {
            return keep ? table.filter(pred::apply, store) : table.filterNot(pred::apply, store);
        }
        return keep ? table.filter(pred::apply, step.named(), store) : table.filterNot(pred::apply, step.named(), store);
    }

    private static KTable<Object, Object> mapValues(final KTable<Object, Object> table, final Step step) {
        final BiFunction<Object, Object, Object> fn = Lambdas.valueMapper(step.get("fn"));
        final Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = Options.keyValue(step);
        if (store == null) {
            return step.has("name")
                ? table.mapValues((k, v) -> fn.apply(k, v), step.named())
                : table.mapValues((k, v) -> fn.apply(k, v));
        }
        return step.has("name")
            ? table.mapValues((k, v) -> fn.apply(k, v), step.named(), store)
            : table.mapValues((k, v) -> fn.apply(k, v), store);
    }

    private static KTable<Object, Object> transformValues(final KTable<Object, Object> table, final Step step) {
        final BiFunction<Object, Object, Object> fn = Lambdas.valueMapper(step.get("fn"));
        final ValueTransformerWithKeySupplier<Object, Object, Object> supplier = () -> new Transformer(fn);
        final Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = Options.keyValue(step);
        if (store == null) {
            return step.has("name") ? table.transformValues(supplier, step.named()) : table.transformValues(supplier);
        }
        return step.has("name") ? table.transformValues(supplier, store, step.named()) : table.transformValues(supplier, store);
    }

    private record Transformer(BiFunction<Object, Object, Object> fn) implements ValueTransformerWithKey<Object, Object, Object> {
        @Override
        public void init(final ProcessorContext context) {
            // it keeps nothing
        }

        @Override
        public Object transform(final Object key, final Object value) {
            return fn.apply(key, value);
        }

        @Override
        public void close() {
            // it keeps nothing
        }
    }

    private static KStream<Object, Object> toStream(final KTable<Object, Object> table, final Step step) {
        if (!step.has("fn")) {
            return step.has("name") ? table.toStream(step.named()) : table.toStream();
        }
        final var fn = Lambdas.selector(step.get("fn"));
        return step.has("name") ? table.toStream(fn::apply, step.named()) : table.toStream(fn::apply);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Suppressed<Object> suppressed(final Step step) {
        final BufferConfig buffer = buffer(step);
        final Suppressed suppressed = step.text("until").equals("window_closes")
            ? Suppressed.untilWindowCloses((Suppressed.StrictBufferConfig) buffer)
            : Suppressed.untilTimeLimit(Duration.ofMillis(step.get("ms").longValue()), buffer);
        return step.has("name") ? suppressed.withName(step.text("name")) : suppressed;
    }

    @SuppressWarnings("rawtypes")
    private static BufferConfig buffer(final Step step) {
        BufferConfig config = BufferConfig.unbounded();
        if (step.hasAny("max_records", "max_bytes")) {
            final long records = step.has("max_records") ? step.get("max_records").longValue() : Long.MAX_VALUE;
            final BufferConfig bounded = BufferConfig.maxRecords(records);
            config = step.has("max_bytes") ? bounded.withMaxBytes(step.get("max_bytes").longValue()) : bounded;
        }
        if (step.has("full")) {
            config = step.text("full").equals("emit_early") ? config.emitEarlyWhenFull() : config.shutDownWhenFull();
        }
        return step.isFalse("logging") ? config.withLoggingDisabled() : config;
    }
}
