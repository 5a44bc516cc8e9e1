package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.kstream.Named;

/** One step of a topology, with typed access to its fields; an absent field is null. */
record Step(JsonNode json) {
    boolean has(final String field) {
        return json.has(field);
    }

    boolean hasAny(final String... fields) {
        for (final String field : fields) {
            if (json.has(field)) {
                return true;
            }
        }
        return false;
    }

    JsonNode get(final String field) {
        final JsonNode found = json.get(field);
        if (found == null) {
            throw new Misread("step without " + field + ": " + json);
        }
        return found;
    }

    String text(final String field) {
        return json.hasNonNull(field) ? json.get(field).textValue() : null;
    }

    Duration millis(final String field) {
        return Duration.ofMillis(get(field).longValue());
    }

    boolean isFalse(final String field) {
        return json.has(field) && !json.get(field).booleanValue();
    }

    boolean isTrue(final String field) {
        return json.has(field) && json.get(field).booleanValue();
    }

    @SuppressWarnings("unchecked")
    Serde<Object> serde(final String field) {
        return (Serde<Object>) Values.serde(text(field));
    }

    Named named() {
        return Named.as(text("name"));
    }

    String[] texts(final String field) {
        final List<String> found = new ArrayList<>();
        if (json.has(field)) {
            json.get(field).forEach(item -> found.add(item.textValue()));
        }
        return found.toArray(String[]::new);
    }

    /** The nested object of this field as a step of its own. */
    Step inner(final String field) {
        return new Step(get(field));
    }
}
