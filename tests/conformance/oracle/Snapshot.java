package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
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
final class Snapshot {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private Snapshot() {}

    static JsonNode of(final TopologyTestDriver driver) {
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
    private static List<ArrayNode> rows(final StateStore store) {
        if (store == null || store instanceof VersionedKeyValueStore || isInternal(store)) {
            return null;
        }
        if (store instanceof KeyValueStore) {
            return listed(((KeyValueStore<Object, Object>) store).all());
        }
        if (store instanceof WindowStore) {
            return listed((KeyValueIterator<Object, Object>) (KeyValueIterator<?, ?>) ((WindowStore<Object, Object>) store).all());
        }
        if (store instanceof SessionStore) {
            return listed((KeyValueIterator<Object, Object>) (KeyValueIterator<?, ?>)
                ((SessionStore<Object, Object>) store).findSessions(null, null, 0, Long.MAX_VALUE));
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

    private static List<ArrayNode> listed(final KeyValueIterator<Object, Object> all) {
        final List<ArrayNode> rows = new ArrayList<>();
        try (all) {
            while (all.hasNext()) {
                rows.add(row(all.next()));
            }
        }
        return rows;
    }

    private static ArrayNode row(final KeyValue<Object, Object> entry) {
        final ArrayNode row = JSON.arrayNode();
        if (entry.key instanceof Windowed<?> windowed) {
            row.add(Values.toJson(windowed.key())).add(windowed.window().start());
            if (windowed.window() instanceof SessionWindow) {
                row.add(windowed.window().end());
            }
        } else {
            row.add(Values.toJson(entry.key));
        }
        if (entry.value instanceof ValueAndTimestamp<?> both) {
            return row.add(Values.toJson(both.value())).add(both.timestamp());
        }
        if (entry.value instanceof AggregationWithHeaders<?> session) {
            return row.add(Values.toJson(session.aggregation()));
        }
        if (entry.value instanceof ValueTimestampHeaders<?> all) {
            return withTimestamp(row.add(Values.toJson(all.value())), all.timestamp());
        }
        return row.add(Values.toJson(entry.value));
    }

    /** Join windows come through an adapter that has no timestamps and says -1. */
    private static ArrayNode withTimestamp(final ArrayNode row, final long timestamp) {
        return timestamp < 0 ? row : row.add(timestamp);
    }
}
