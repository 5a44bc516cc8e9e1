package oracle;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;

/** The calls of peek and foreach since the last event; one scenario runs on one thread. */
final class CallLog {
    private static final ThreadLocal<ArrayNode> CALLS = ThreadLocal.withInitial(JsonNodeFactory.instance::arrayNode);

    private CallLog() {}

    static void add(final String label, final Object key, final Object value) {
        CALLS.get().addArray().add(label).add(Values.toJson(key)).add(Values.toJson(value));
    }

    /** What was logged since the last call. */
    static ArrayNode take() {
        final ArrayNode calls = CALLS.get();
        CALLS.remove();
        return calls;
    }
}
