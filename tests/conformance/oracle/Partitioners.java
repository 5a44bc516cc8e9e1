package oracle;

import java.util.Optional;
import java.util.Set;
import org.apache.kafka.streams.processor.RecordContext;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.processor.TopicNameExtractor;

/** Partitioners and topic extractors by name. */
final class Partitioners {
    private Partitioners() {}

    static StreamPartitioner<Object, Object> named(final Lambdas.Call call) {
        return switch (call.name()) {
            case "zero" -> (topic, key, value, count) -> Optional.of(Set.of(0));
            case "default" -> (topic, key, value, count) -> Optional.empty();
            case "drop_value" -> (topic, key, value, count) -> Optional.of(Values.same(value, call.arg()) ? Set.of() : Set.of(0));
            default -> throw call.unknown("partitioner");
        };
    }

    /** Whether the topic may have come from this topic extractor by the record's key. */
    static boolean isKeyTopic(final Lambdas.Call call, final String topic) {
        return call.name().equals("key_topic") && topic.startsWith((String) call.arg());
    }

    /** A topic extractor whose text, as describe() prints it, is its bare name. */
    record Topics(Lambdas.Call call) implements TopicNameExtractor<Object, Object> {
        @Override
        public String extract(final Object key, final Object value, final RecordContext context) {
            return switch (call.name()) {
                case "key_topic" -> call.arg() + Values.text(key);
                case "source_topic" -> context.topic() + call.arg();
                default -> throw call.unknown("topic extractor");
            };
        }

        @Override
        public String toString() {
            return call.name();
        }
    }
}
