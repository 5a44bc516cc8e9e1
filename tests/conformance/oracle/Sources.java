package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.kafka.common.serialization.Serializer;

/** The bytes of an event's key and value: JSON of the serde of the source that reads the topic (FORMAT.md §7). */
record Sources(JsonNode steps, Settings settings) {
    /** Bytes as the source reads them; {"hex": …} is raw. */
    @SuppressWarnings("unchecked")
    byte[] bytes(final String topic, final String field, final JsonNode json) {
        if (json == null || json.isNull()) {
            return null;
        }
        if (json.isObject() && json.has("hex")) {
            return Values.unhex(json.get("hex").textValue());
        }
        final String serde = serde(topic, field);
        final Serializer<Object> serializer = (Serializer<Object>) Values.serde(serde).serializer();
        return serializer.serialize(topic, Values.fromJson(json, serde));
    }

    private String serde(final String topic, final String field) {
        final Step step = reader(topic);
        final String found = step == null ? null : named(step, field);
        return found != null ? found : field.equals("key") ? settings.defaultKey() : settings.defaultValue();
    }

    private static String named(final Step step, final String field) {
        if (step.hasAny("key", "value") || !step.has("materialized")) {
            return step.text(field);
        }
        return step.inner("materialized").text(field);
    }

    private Step reader(final String topic) {
        for (final JsonNode json : steps) {
            if (reads(new Step(json), topic)) {
                return new Step(json);
            }
        }
        for (final JsonNode json : steps) {
            if (json.has("pattern") && Pattern.matches(json.get("pattern").textValue(), topic)) {
                return new Step(json);
            }
        }
        return null;
    }

    private static boolean reads(final Step step, final String topic) {
        return switch (step.text("op")) {
            case "stream", "add_source" -> List.of(step.texts("topics")).contains(topic);
            case "table", "global_table", "add_global_store", "add_read_only_store" -> topic.equals(step.text("topic"));
            default -> false;
        };
    }
}
