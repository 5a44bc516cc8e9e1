package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.BranchedKStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.state.KeyValueStore;

/** Steps on a stream. Joins are in {@link Joins}. */
record Streams(Processors processors, Map<String, Object> bound) {
    @SuppressWarnings("unchecked")
    Object apply(final KStream<Object, Object> stream, final Step step) {
        final boolean named = step.has("name");
        switch (step.text("op")) {
            case "filter" -> {
                final var pred = Lambdas.predicate(step.get("pred"));
                return named ? stream.filter(pred::apply, step.named()) : stream.filter(pred::apply);
            }
            case "filter_not" -> {
                final var pred = Lambdas.predicate(step.get("pred"));
                return named ? stream.filterNot(pred::apply, step.named()) : stream.filterNot(pred::apply);
            }
            case "merge" -> {
                final KStream<Object, Object> other = (KStream<Object, Object>) bound.get(step.text("other"));
                return named ? stream.merge(other, step.named()) : stream.merge(other);
            }
            case "repartition" -> {
                final var options = Options.repartitioned(step);
                return options == null ? stream.repartition() : stream.repartition(options);
            }
            case "to_table" -> {
                return toTable(stream, step);
            }
            case "process" -> {
                final var supplier = processors.supplier(step.get("processor"));
                return named
                    ? stream.process(supplier, step.named(), step.texts("stores"))
                    : stream.process(supplier, step.texts("stores"));
            }
            case "process_values" -> {
                final var supplier = processors.fixedKeySupplier(step.get("processor"));
                return named
                    ? stream.processValues(supplier, step.named(), step.texts("stores"))
                    : stream.processValues(supplier, step.texts("stores"));
            }
            case "group_by_key" -> {
                final var grouped = Options.grouped(step);
                return grouped == null ? stream.groupByKey() : stream.groupByKey(grouped);
            }
            case "group_by" -> {
                final var selector = Lambdas.selector(step.get("fn"));
                final var grouped = Options.grouped(step);
                return grouped == null ? stream.groupBy(selector::apply) : stream.groupBy(selector::apply, grouped);
            }
            case "split" -> split(stream, step);
            case "to" -> to(stream, step);
            default -> {
                return map(stream, step);
            }
        }
        return null;
    }

    private Object map(final KStream<Object, Object> stream, final Step step) {
        final boolean named = step.has("name");
        switch (step.text("op")) {
            case "map" -> {
                final var fn = Lambdas.pairMapper(step.get("fn"));
                return named ? stream.map(fn::apply, step.named()) : stream.map(fn::apply);
            }
            case "map_values" -> {
                final var fn = Lambdas.valueMapper(step.get("fn"));
                return named
                    ? stream.mapValues((k, v) -> fn.apply(k, v), step.named())
                    : stream.mapValues((k, v) -> fn.apply(k, v));
            }
            case "flat_map" -> {
                final var fn = Lambdas.flatPairMapper(step.get("fn"));
                return named ? stream.flatMap(fn::apply, step.named()) : stream.flatMap(fn::apply);
            }
            case "flat_map_values" -> {
                final var fn = Lambdas.flatValueMapper(step.get("fn"));
                return named
                    ? stream.flatMapValues((k, v) -> fn.apply(k, v), step.named())
                    : stream.flatMapValues((k, v) -> fn.apply(k, v));
            }
            case "select_key" -> {
                final var fn = Lambdas.selector(step.get("fn"));
                return named ? stream.selectKey(fn::apply, step.named()) : stream.selectKey(fn::apply);
            }
            case "peek" -> {
                final String label = step.text("label");
                return named
                    ? stream.peek((k, v) -> CallLog.add(label, k, v), step.named())
                    : stream.peek((k, v) -> CallLog.add(label, k, v));
            }
            case "foreach" -> {
                final String label = step.text("label");
                if (named) {
                    stream.foreach((k, v) -> CallLog.add(label, k, v), step.named());
                } else {
                    stream.foreach((k, v) -> CallLog.add(label, k, v));
                }
            }
            default -> throw new Misread("no op of a stream: " + step.json());
        }
        return null;
    }

    private static KTable<Object, Object> toTable(final KStream<Object, Object> stream, final Step step) {
        final Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> materialized = Options.keyValue(step);
        if (materialized == null) {
            return step.has("name") ? stream.toTable(step.named()) : stream.toTable();
        }
        return step.has("name") ? stream.toTable(step.named(), materialized) : stream.toTable(materialized);
    }

    private void split(final KStream<Object, Object> stream, final Step step) {
        BranchedKStream<Object, Object> branched = step.has("name") ? stream.split(Named.as(step.text("name"))) : stream.split();
        for (final JsonNode json : step.get("branches")) {
            final var pred = Lambdas.predicate(json.get("pred"));
            branched = branched.branch(pred::apply, branch(new Step(json)));
        }
        if (step.has("default")) {
            branched.defaultBranch(branch(step.inner("default")));
        } else {
            branched.noDefaultBranch();
        }
    }

    private Branched<Object, Object> branch(final Step step) {
        final Consumer<KStream<Object, Object>> bind = branch -> bound.put(step.text("let"), branch);
        return step.has("name") ? Branched.withConsumer(bind, step.text("name")) : Branched.withConsumer(bind);
    }

    private static void to(final KStream<Object, Object> stream, final Step step) {
        final boolean bare = !step.hasAny("key", "value", "partitioner", "name");
        if (step.has("topic_fn")) {
            final var topics = new Partitioners.Topics(Lambdas.Call.of(step.get("topic_fn")));
            if (bare) {
                stream.to(topics);
            } else {
                stream.to(topics, Options.produced(step));
            }
        } else if (bare) {
            stream.to(step.text("topic"));
        } else {
            stream.to(step.text("topic"), Options.produced(step));
        }
    }
}
