package oracle;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.common.serialization.StringSerializer;

/** The command language of the store processors (FORMAT.md §5). */
final class Commands {
    private final StateStore store;
    private final StoreSpec spec;
    private String[] words;

    Commands(final StateStore store, final StoreSpec spec) {
        this.store = store;
        this.spec = spec;
    }

    @SuppressWarnings("unchecked")
    String run(final Object key, final String command, final long timestamp) {
        words = command.split(" ", -1);
        try {
            if (store instanceof VersionedKeyValueStore<?, ?> versioned) {
                return versioned((VersionedKeyValueStore<Object, Object>) versioned, key);
            }
            if (store instanceof WindowStore<?, ?> window) {
                return window((WindowStore<Object, Object>) window, key);
            }
            if (store instanceof SessionStore<?, ?> session) {
                return session((SessionStore<Object, Object>) session, key);
            }
            return keyValue((KeyValueStore<Object, Object>) store, key, timestamp);
        } catch (final IllegalArgumentException | UnsupportedOperationException refused) {
            return "refused";
        }
    }

    private Object key(final int at) {
        return Values.fromWord(words[at], spec.key());
    }

    private Object value(final int at) {
        return Values.fromWord(words[at], spec.value());
    }

    private long time(final int at) {
        try {
            return Long.parseLong(words[at]);
        } catch (final NumberFormatException malformed) {
            throw new Misread("no time in " + String.join(" ", words) + ": " + malformed.getMessage());
        }
    }

    private Object stored(final Object value, final long timestamp) {
        return store instanceof TimestampedKeyValueStore && value != null ? ValueAndTimestamp.make(value, timestamp) : value;
    }

    private String keyValue(final KeyValueStore<Object, Object> kv, final Object key, final long timestamp) {
        switch (words[0]) {
            case "put" -> kv.put(key, stored(value(1), timestamp));
            case "absent" -> {
                return Logic.shown(kv.putIfAbsent(key, stored(value(1), timestamp)));
            }
            case "del" -> {
                return Logic.shown(kv.delete(key));
            }
            case "get" -> {
                return Logic.shown(kv.get(key));
            }
            case "putall" -> {
                final List<KeyValue<Object, Object>> entries = new ArrayList<>();
                for (int i = 1; i < words.length; i += 2) {
                    entries.add(KeyValue.pair(key(i), stored(value(i + 1), timestamp)));
                }
                kv.putAll(entries);
            }
            case "range" -> {
                return listed(kv.range(key(1), key(2)), Values::text);
            }
            case "rrange" -> {
                return listed(kv.reverseRange(key(1), key(2)), Values::text);
            }
            case "all" -> {
                return listed(kv.all(), Values::text);
            }
            case "rall" -> {
                return listed(kv.reverseAll(), Values::text);
            }
            case "prefix" -> {
                return listed(kv.prefixScan(words[1], new StringSerializer()), Values::text);
            }
            default -> throw unknown();
        }
        return "ok";
    }

    private String window(final WindowStore<Object, Object> window, final Object key) {
        return switch (words[0]) {
            case "put" -> {
                window.put(key, value(1), time(2));
                yield "ok";
            }
            case "get" -> Values.text(window.fetch(key, time(1)));
            case "fetch" -> listed(window.fetch(key, time(1), time(2)), String::valueOf);
            case "rfetch" -> listed(window.backwardFetch(key, time(1), time(2)), String::valueOf);
            case "fetchk" -> listed(window.fetch(key(1), key(2), time(3), time(4)), Commands::start);
            case "rfetchk" -> listed(window.backwardFetch(key(1), key(2), time(3), time(4)), Commands::start);
            case "fetchall" -> listed(window.fetchAll(time(1), time(2)), Commands::start);
            case "rfetchall" -> listed(window.backwardFetchAll(time(1), time(2)), Commands::start);
            case "all" -> listed(window.all(), Commands::start);
            case "rall" -> listed(window.backwardAll(), Commands::start);
            default -> throw unknown();
        };
    }

    private String session(final SessionStore<Object, Object> session, final Object key) {
        return switch (words[0]) {
            case "put" -> {
                session.put(new Windowed<>(key, new SessionWindow(time(2), time(3))), value(1));
                yield "ok";
            }
            case "del" -> {
                session.remove(new Windowed<>(key, new SessionWindow(time(1), time(2))));
                yield "ok";
            }
            case "get" -> Values.text(session.fetchSession(key, time(1), time(2)));
            case "find" -> listed(session.findSessions(key, time(1), time(2)), Values::text);
            case "rfind" -> listed(session.backwardFindSessions(key, time(1), time(2)), Values::text);
            case "findk" -> listed(session.findSessions(key(1), key(2), time(3), time(4)), Values::text);
            case "fetch" -> listed(session.fetch(key), Values::text);
            case "rfetch" -> listed(session.backwardFetch(key), Values::text);
            default -> throw unknown();
        };
    }

    private String versioned(final VersionedKeyValueStore<Object, Object> versioned, final Object key) {
        return switch (words[0]) {
            case "put" -> Long.toString(versioned.put(key, value(1), time(2)));
            case "del" -> version(versioned.delete(key, time(1)));
            case "get" -> version(versioned.get(key));
            case "asof" -> version(versioned.get(key, time(1)));
            default -> throw unknown();
        };
    }

    private static String version(final VersionedRecord<Object> found) {
        if (found == null) {
            return "null";
        }
        final String until = found.validTo().isPresent() ? Long.toString(found.validTo().get()) : "";
        return Values.text(found.value()) + "@" + found.timestamp() + "-" + until;
    }

    private static String start(final Object key) {
        final Windowed<?> windowed = (Windowed<?>) key;
        return Values.text(windowed.key()) + "@" + windowed.window().start();
    }

    private <K> String listed(final KeyValueIterator<K, ?> rows, final Function<Object, String> label) {
        try (rows) {
            final List<String> shown = new ArrayList<>();
            final Iterator<? extends KeyValue<K, ?>> each = rows;
            while (each.hasNext()) {
                final KeyValue<K, ?> row = each.next();
                shown.add(label.apply(row.key) + "=" + Logic.shown(row.value));
            }
            return "[" + String.join(",", shown) + "]";
        }
    }

    private Misread unknown() {
        return new Misread("unknown command " + String.join(" ", words));
    }
}
