package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.streams.errors.internals.ExceptionHandlerUtils;

/** Sent records as expectations (FORMAT.md §8, the sorting of §9). */
record Rows(JsonNode steps, Set<String> suppressChangelogs) {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final Set<String> ANY_TEXT = Set.of(
        ExceptionHandlerUtils.HEADER_ERRORS_EXCEPTION_NAME, ExceptionHandlerUtils.HEADER_ERRORS_EXCEPTION_MESSAGE_NAME,
        ExceptionHandlerUtils.HEADER_ERRORS_STACKTRACE_NAME);

    ArrayNode expectations(final List<ProducerRecord<byte[], byte[]>> sent) {
        final ArrayNode rows = JSON.arrayNode();
        for (final ProducerRecord<byte[], byte[]> record : sorted(sent)) {
            rows.add(expectation(record));
        }
        return rows;
    }

    /** Runs of adjacent records of one suppress changelog, by key bytes. */
    private List<ProducerRecord<byte[], byte[]>> sorted(final List<ProducerRecord<byte[], byte[]>> sent) {
        final List<ProducerRecord<byte[], byte[]>> result = new ArrayList<>(sent);
        int start = 0;
        while (start < result.size()) {
            int end = start + 1;
            while (end < result.size() && result.get(end).topic().equals(result.get(start).topic())) {
                end++;
            }
            if (suppressChangelogs.contains(result.get(start).topic())) {
                result.subList(start, end).sort(Comparator.comparing(ProducerRecord::key, Arrays::compareUnsigned));
            }
            start = end;
        }
        return result;
    }

    private ObjectNode expectation(final ProducerRecord<byte[], byte[]> record) {
        final ObjectNode row = JSON.objectNode();
        row.put("topic", record.topic());
        row.set("key_hex", Values.hex(record.key()));
        row.set("value_hex", Values.hex(record.value()));
        row.put("ts", record.timestamp());
        if (record.partition() != null) {
            row.put("partition", record.partition());
        }
        if (record.headers().iterator().hasNext()) {
            final ArrayNode headers = row.putArray("headers");
            for (final Header header : record.headers()) {
                final boolean any = ANY_TEXT.contains(header.key());
                headers.addArray().add(header.key()).add(any ? JSON.textNode("*") : Values.hex(header.value()));
            }
        }
        decode(row, record);
        return row;
    }

    /** Adds key and value as read by the serdes of the sink's step, for the human reader. */
    private void decode(final ObjectNode row, final ProducerRecord<byte[], byte[]> record) {
        for (final JsonNode json : steps) {
            final Step step = new Step(json);
            if (writes(step, record.topic())) {
                decode(row, "key", step, record.key());
                decode(row, "value", step, record.value());
                return;
            }
        }
    }

    private static boolean writes(final Step step, final String topic) {
        if (!step.text("op").equals("to") && !step.text("op").equals("add_sink")) {
            return false;
        }
        return step.has("topic_fn")
            ? Partitioners.isKeyTopic(Lambdas.Call.of(step.get("topic_fn")), topic)
            : topic.equals(step.text("topic"));
    }

    private static void decode(final ObjectNode row, final String field, final Step step, final byte[] bytes) {
        if (step.text(field) != null) {
            final Object value = bytes == null ? null : step.serde(field).deserializer().deserialize("", bytes);
            row.set(field, Values.toJson(value));
        }
    }
}
