package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.state.AggregationWithHeaders;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.ValueTimestampHeaders;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.internals.ListValueStore;
import org.apache.kafka.streams.state.internals.WrappedStateStore;

/** The final rows of all stores with a typed view (FORMAT.md §8). */
record Snapshot(boolean keepsHeaders) {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    JsonNode of(final TopologyTestDriver driver) {
        final ObjectNode stores = JSON.objectNode();
        new TreeMap<>(driver.getAllStateStores()).forEach((name, store) -> {
            final List<ArrayNode> rows = rows(store);
            if (rows != null) {
                rows.sort(Comparator.comparing(JsonNode::toString));
                stores.putArray(name).addAll(rows);
            }
        });
        return stores;
    }

    /** Rows as JSON, null for a store that has no typed view. */
    @SuppressWarnings("unchecked")
    private List<ArrayNode> rows(final StateStore store) {
        if (store == null || store instanceof VersionedKeyValueStore || isInternal(store)) {
            return null;
        }
        if (store instanceof KeyValueStore) {
            return listed(((KeyValueStore<Object, Object>) store).all(), key -> List.of(Values.toJson(key)));
        }
        if (store instanceof WindowStore) {
            return listed(((WindowStore<Object, Object>) store).all(), key -> List.of(
                Values.toJson(key.key()), JSON.numberNode(key.window().start())));
        }
        if (store instanceof SessionStore) {
            return listed(((SessionStore<Object, Object>) store).findSessions(null, null, 0, Long.MAX_VALUE), key -> List.of(
                Values.toJson(key.key()), JSON.numberNode(key.window().start()), JSON.numberNode(key.window().end())));
        }
        return null;
    }

    private static boolean isInternal(final StateStore store) {
        StateStore inner = store;
        while (inner instanceof WrappedStateStore<?, ?, ?> wrapper) {
            if (wrapper instanceof ListValueStore) {
                return true;
            }
            inner = wrapper.wrapped();
        }
        return store.name().contains("FK-JOIN-SUBSCRIPTION-STATE-STORE") || store.name().endsWith("-subscription-store");
    }

    private <K> List<ArrayNode> listed(final KeyValueIterator<K, Object> all, final Function<K, List<JsonNode>> columns) {
        final List<ArrayNode> rows = new ArrayList<>();
        try (all) {
            while (all.hasNext()) {
                final KeyValue<K, Object> entry = all.next();
                rows.add(valued(JSON.arrayNode().addAll(columns.apply(entry.key)), entry.value));
            }
        }
        return rows;
    }

    private ArrayNode valued(final ArrayNode row, final Object value) {
        if (value instanceof ValueAndTimestamp<?> both) {
            return row.add(Values.toJson(both.value())).add(both.timestamp());
        }
        if (value instanceof AggregationWithHeaders<?> session) {
            return row.add(Values.toJson(session.aggregation()));
        }
        if (value instanceof ValueTimestampHeaders<?> all) {
            row.add(Values.toJson(all.value()));
            return keepsHeaders ? row.add(all.timestamp()) : row;
        }
        return row.add(Values.toJson(value));
    }
}
