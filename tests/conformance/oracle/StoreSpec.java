package oracle;

import java.time.Duration;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;

/** A store as add_store writes it, and its serde names for the command processors. */
record StoreSpec(Step step) {
    String name() {
        return step.text("store");
    }

    String key() {
        return step.text("key");
    }

    String value() {
        return step.text("value");
    }

    StoreBuilder<?> builder() {
        final StoreBuilder<?> builder = plainBuilder();
        if (step.isTrue("caching")) {
            builder.withCachingEnabled();
        }
        if (step.isFalse("logging")) {
            builder.withLoggingDisabled();
        } else {
            builder.withLoggingEnabled(Map.of());
        }
        return builder;
    }

    private StoreBuilder<?> plainBuilder() {
        final Serde<Object> key = step.serde("key");
        final Serde<Object> value = step.serde("value");
        final boolean persistent = !step.isFalse("persistent");
        return switch (step.text("kind")) {
            case "kv" -> Stores.keyValueStoreBuilder(keyValue(persistent, false), key, value);
            case "timestamped_kv" -> Stores.timestampedKeyValueStoreBuilder(keyValue(persistent, true), key, value);
            case "lru" -> Stores.keyValueStoreBuilder(Stores.lruMap(name(), step.get("capacity").intValue()), key, value);
            case "window" -> Stores.windowStoreBuilder(
                window(persistent, step.millis("retention"), step.millis("size"), step.isTrue("duplicates")), key, value);
            case "session" -> Stores.sessionStoreBuilder(
                persistent
                    ? Stores.persistentSessionStore(name(), step.millis("retention"))
                    : Stores.inMemorySessionStore(name(), step.millis("retention")),
                key, value);
            case "versioned" -> Stores.versionedKeyValueStoreBuilder(
                Stores.persistentVersionedKeyValueStore(name(), step.millis("history")), key, value);
            default -> throw new Misread("unknown store kind " + step.text("kind"));
        };
    }

    private WindowBytesStoreSupplier window(
            final boolean persistent, final Duration retention, final Duration size, final boolean duplicates) {
        return persistent
            ? Stores.persistentWindowStore(name(), retention, size, duplicates)
            : Stores.inMemoryWindowStore(name(), retention, size, duplicates);
    }

    private KeyValueBytesStoreSupplier keyValue(final boolean persistent, final boolean timestamped) {
        if (!persistent) {
            return Stores.inMemoryKeyValueStore(name());
        }
        return timestamped ? Stores.persistentTimestampedKeyValueStore(name()) : Stores.persistentKeyValueStore(name());
    }

    static Duration history(final Step materialized) {
        return materialized.millis("versioned");
    }
}
