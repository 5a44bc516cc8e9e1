package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.ProcessingContext;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;

/** Processor suppliers by name: a {@link Logic} behind one of Kafka's two interfaces. */
record Processors(Map<String, StoreSpec> stores) {
    ProcessorSupplier<Object, Object, Object, Object> supplier(final JsonNode json) {
        return () -> new Free(json, stores);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    ProcessorSupplier<Object, Object, Void, Void> terminal(final JsonNode json) {
        return (ProcessorSupplier) supplier(json);
    }

    FixedKeyProcessorSupplier<Object, Object, Object> fixedKeySupplier(final JsonNode json) {
        return () -> new Fixed(json, stores);
    }

    private static final class Free implements Processor<Object, Object, Object, Object>, Logic.Out {
        private final JsonNode json;
        private final Map<String, StoreSpec> stores;
        private ProcessorContext<Object, Object> context;
        private Logic logic;

        Free(final JsonNode json, final Map<String, StoreSpec> stores) {
            this.json = json;
            this.stores = stores;
        }

        @Override
        public void init(final ProcessorContext<Object, Object> given) {
            context = given;
            logic = Logic.named(json, this, stores);
        }

        @Override
        public void process(final Record<Object, Object> record) {
            logic.process(new Logic.Item(record.key(), record.value(), record.timestamp(), record.headers()));
        }

        @Override
        public void forward(final Logic.Item item, final String child) {
            final Record<Object, Object> record = new Record<>(item.key(), item.value(), item.timestamp(), item.headers());
            if (child == null) {
                context.forward(record);
            } else {
                context.forward(record, child);
            }
        }

        @Override
        public ProcessingContext context() {
            return context;
        }
    }

    private static final class Fixed implements FixedKeyProcessor<Object, Object, Object>, Logic.Out {
        private final JsonNode json;
        private final Map<String, StoreSpec> stores;
        private FixedKeyProcessorContext<Object, Object> context;
        private FixedKeyRecord<Object, Object> current;
        private Logic logic;

        Fixed(final JsonNode json, final Map<String, StoreSpec> stores) {
            this.json = json;
            this.stores = stores;
        }

        @Override
        public void init(final FixedKeyProcessorContext<Object, Object> given) {
            context = given;
            logic = Logic.named(json, this, stores);
        }

        @Override
        public void process(final FixedKeyRecord<Object, Object> record) {
            current = record;
            logic.process(new Logic.Item(record.key(), record.value(), record.timestamp(), record.headers()));
        }

        @Override
        public void forward(final Logic.Item item, final String child) {
            if (item.key() != current.key()) {
                throw new Misread("process_values cannot change the key: " + json);
            }
            context.forward(current.withValue(item.value()).withTimestamp(item.timestamp()).withHeaders(item.headers()));
        }

        @Override
        public ProcessingContext context() {
            return context;
        }
    }
}
