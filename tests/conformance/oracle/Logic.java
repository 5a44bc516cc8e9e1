package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.function.BiConsumer;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.Cancellable;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.Punctuator;
import org.apache.kafka.streams.processor.api.ProcessingContext;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/** What the named processors of FORMAT.md §5 do, apart from which Processor interface they sit behind. */
interface Logic {
    /** A record, whatever interface it came through. */
    record Item(Object key, Object value, long timestamp, Headers headers) {
        Item withValue(final Object other) {
            return new Item(key, other, timestamp, headers);
        }
    }

    /** Where a logic forwards to; child null = all children. */
    interface Out {
        void forward(Item item, String child);

        ProcessingContext context();
    }

    void process(Item item);

    /** Builds the logic in init(): stores are looked up and punctuators scheduled here. */
    static Logic named(final JsonNode json, final Out out, final Map<String, StoreSpec> stores) {
        final Lambdas.Call call = Lambdas.Call.of(json);
        return switch (call.name()) {
            case "forward" -> item -> out.forward(item, null);
            case "twice" -> item -> {
                out.forward(item.withValue(Values.text(item.value()) + "1"), null);
                out.forward(item.withValue(Values.text(item.value()) + "2"), null);
            };
            case "set_key" -> item -> out.forward(new Item(call.arg(), item.value(), item.timestamp(), item.headers()), null);
            case "add_header" -> item -> {
                final Headers headers = new RecordHeaders(item.headers());
                headers.add((String) call.arg(), ((String) call.args().get(1)).getBytes(StandardCharsets.UTF_8));
                out.forward(new Item(item.key(), item.value(), item.timestamp(), headers), null);
            };
            case "shift_ts" -> item -> out.forward(
                new Item(item.key(), item.value(), item.timestamp() + call.number(), item.headers()), null);
            case "metadata" -> item -> out.forward(item.withValue(metadata(item, out.context())), null);
            case "route" -> item -> {
                final boolean even = item.value() != null && ((Number) item.value()).longValue() % 2 == 0;
                out.forward(item, (String) call.args().get(even ? 0 : 1));
            };
            case "count_in", "dedup", "store_put", "lookup" -> stateful(call, out);
            case "kv_commands", "window_commands", "session_commands", "versioned_commands" -> {
                final Commands commands = new Commands(
                    out.context().getStateStore((String) call.arg()), stores.get((String) call.arg()));
                yield item -> out.forward(
                    item.withValue(commands.run(item.key(), (String) item.value(), item.timestamp())), null);
            }
            default -> ticking(call, out);
        };
    }

    private static String metadata(final Item item, final ProcessingContext context) {
        final RecordMetadata origin = context.recordMetadata().orElseThrow();
        return origin.topic() + "/" + origin.partition() + "/" + origin.offset() + "/" + item.timestamp()
            + "/" + context.currentStreamTimeMs() + "/" + context.currentSystemTimeMs();
    }

    @SuppressWarnings("unchecked")
    private static Logic stateful(final Lambdas.Call call, final Out out) {
        final KeyValueStore<Object, Object> store = out.context().getStateStore((String) call.arg());
        final boolean timestamped = store instanceof TimestampedKeyValueStore;
        final BiConsumer<Item, Object> put = (item, value) -> store.put(
            item.key(), timestamped && value != null ? ValueAndTimestamp.make(value, item.timestamp()) : value);
        return switch (call.name()) {
            case "store_put" -> item -> {
                if (item.key() != null) {
                    put.accept(item, item.value());
                }
            };
            case "lookup" -> item -> {
                final Object found = item.key() == null ? null : store.get(item.key());
                out.forward(item.withValue(Values.text(item.value()) + "/" + shown(found)), null);
            };
            case "dedup" -> item -> {
                if (item.key() != null && !Values.same(plain(store.get(item.key())), item.value())) {
                    put.accept(item, item.value());
                    out.forward(item, null);
                }
            };
            default -> item -> {
                if (item.key() != null) {
                    final Object count = Values.arithmetic(plain(store.get(item.key())), '+', 1L);
                    put.accept(item, count);
                    out.forward(item.withValue(count), null);
                }
            };
        };
    }

    private static Object plain(final Object stored) {
        return stored instanceof ValueAndTimestamp<?> both ? both.value() : stored;
    }

    static String shown(final Object stored) {
        return stored instanceof ValueAndTimestamp<?> both
            ? Values.text(both.value()) + "@" + both.timestamp()
            : Values.text(stored);
    }

    private static Logic ticking(final Lambdas.Call call, final Out out) {
        final long[] count = {0};
        final Cancellable[] handle = {null};
        final boolean once = call.name().equals("tick_once");
        final Punctuator tick = timestamp -> {
            out.forward(new Item("tick", timestamp + ":" + count[0], timestamp, new RecordHeaders()), null);
            count[0] = 0;
            if (once) {
                handle[0].cancel();
            }
        };
        final PunctuationType type = call.name().startsWith("tick_wall")
            ? PunctuationType.WALL_CLOCK_TIME
            : PunctuationType.STREAM_TIME;
        handle[0] = switch (call.name()) {
            case "tick_stream", "tick_wall", "tick_once" -> out.context().schedule(Duration.ofMillis(call.number()), type, tick);
            case "tick_stream_from", "tick_wall_from" -> out.context().schedule(
                Instant.ofEpochMilli(call.number()), Duration.ofMillis(((Number) call.args().get(1)).longValue()), type, tick);
            default -> throw call.unknown("processor");
        };
        return item -> count[0]++;
    }
}
