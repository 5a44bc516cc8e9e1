package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.LogAndContinueExceptionHandler;
import org.apache.kafka.streams.errors.LogAndContinueProcessingExceptionHandler;
import org.apache.kafka.streams.errors.LogAndFailExceptionHandler;
import org.apache.kafka.streams.errors.LogAndFailProcessingExceptionHandler;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.state.DslStoreSuppliers;

/** A scenario's config as Kafka Streams properties (FORMAT.md §2). */
final class Settings {
    private final JsonNode config;

    Settings(final JsonNode config) {
        this.config = config;
    }

    String defaultKey() {
        return config.path("default_key").asText("string");
    }

    String defaultValue() {
        return config.path("default_value").asText("string");
    }

    /** Whether the DSL's stores keep headers; by default only join windows come through a view that has room for them. */
    boolean keepsHeaders() {
        return config.path("props").path(StreamsConfig.DSL_STORE_FORMAT_CONFIG).asText("").equalsIgnoreCase("headers");
    }

    Properties properties(final Path stateDirectory) {
        final Properties props = new Properties();
        props.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        props.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:0");
        props.put(StreamsConfig.STATE_DIR_CONFIG, stateDirectory.toString());
        props.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, config.path("cache_bytes").asLong(0));
        props.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Values.serdeClass(defaultKey()));
        props.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Values.serdeClass(defaultValue()));
        if (config.has("optimization")) {
            props.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, config.get("optimization").textValue());
        }
        if (config.has("default_extractor")) {
            props.put(
                StreamsConfig.DEFAULT_TIMESTAMP_EXTRACTOR_CLASS_CONFIG,
                Extractors.named(config.get("default_extractor").textValue()).getClass());
        }
        if (config.has("store")) {
            props.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, suppliers(config.get("store").textValue()).getClass());
        }
        putHandlers(props);
        // the driver sets both for itself only, and the task after a restart must have them too
        props.put(StreamsConfig.InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_OUTER_JOIN_SPURIOUS_RESULTS_FIX, 0L);
        props.put(StreamsConfig.InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_WINDOWED_AGGREGATION, 0L);
        config.path("props").properties().forEach(entry -> props.put(entry.getKey(), entry.getValue().asText()));
        return props;
    }

    private void putHandlers(final Properties props) {
        if (config.has("deserialization_handler")) {
            props.put(
                StreamsConfig.DESERIALIZATION_EXCEPTION_HANDLER_CLASS_CONFIG,
                goesOn("deserialization_handler") ? LogAndContinueExceptionHandler.class : LogAndFailExceptionHandler.class);
        }
        if (config.has("processing_handler")) {
            props.put(
                StreamsConfig.PROCESSING_EXCEPTION_HANDLER_CLASS_CONFIG,
                goesOn("processing_handler")
                    ? LogAndContinueProcessingExceptionHandler.class
                    : LogAndFailProcessingExceptionHandler.class);
        }
        if (config.has("dead_letter_topic")) {
            props.put(StreamsConfig.ERRORS_DEAD_LETTER_QUEUE_TOPIC_NAME_CONFIG, config.get("dead_letter_topic").textValue());
        }
    }

    private boolean goesOn(final String handler) {
        return config.get(handler).textValue().equals("continue");
    }

    static DslStoreSuppliers suppliers(final String name) {
        return switch (name) {
            case "in_memory" -> new BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers();
            case "rocksdb" -> new BuiltInDslStoreSuppliers.RocksDBDslStoreSuppliers();
            default -> throw new Misread("unknown store type " + name);
        };
    }
}
