package oracle;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.streams.processor.FailOnInvalidTimestamp;
import org.apache.kafka.streams.processor.LogAndSkipOnInvalidTimestamp;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.processor.UsePartitionTimeOnInvalidTimestamp;

/** Timestamp extractors by name; public classes, since a configuration names them. */
public final class Extractors {
    private Extractors() {}

    /** The long value is the timestamp. */
    public static final class OfValue implements TimestampExtractor {
        @Override
        public long extract(final ConsumerRecord<Object, Object> record, final long partitionTime) {
            return record.value() == null ? -1 : ((Number) record.value()).longValue();
        }
    }

    /** The integer behind the last '@' of the value is the timestamp. */
    public static final class AfterAt implements TimestampExtractor {
        @Override
        public long extract(final ConsumerRecord<Object, Object> record, final long partitionTime) {
            final String text = record.value() == null ? "" : Values.text(record.value());
            final int at = text.lastIndexOf('@');
            return at < 0 ? -1 : Long.parseLong(text.substring(at + 1));
        }
    }

    /** One more than the partition time. */
    public static final class PartitionTimePlusOne implements TimestampExtractor {
        @Override
        public long extract(final ConsumerRecord<Object, Object> record, final long partitionTime) {
            return partitionTime + 1;
        }
    }

    static TimestampExtractor named(final String name) {
        return switch (name) {
            case "record" -> new FailOnInvalidTimestamp();
            case "log_and_skip" -> new LogAndSkipOnInvalidTimestamp();
            case "use_partition_time" -> new UsePartitionTimeOnInvalidTimestamp();
            case "value" -> new OfValue();
            case "value_at" -> new AfterAt();
            case "partition_time_plus_one" -> new PartitionTimePlusOne();
            default -> throw new Misread("unknown extractor " + name);
        };
    }
}
