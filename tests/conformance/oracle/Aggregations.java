package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import org.apache.kafka.streams.kstream.CogroupedKStream;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Initializer;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.SessionWindowedCogroupedKStream;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.TimeWindowedCogroupedKStream;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.UnlimitedWindows;

/** Steps on grouped, windowed and cogrouped streams and on grouped tables. */
final class Aggregations {
    private Aggregations() {}

    static Object apply(final Object from, final Step step) {
        final Named named = step.has("name") ? step.named() : null;
        return switch (step.text("op")) {
            case "windowed_by" -> emitting(Overload.call(from, "windowedBy", window(step.inner("window"))), step);
            case "count" -> Overload.call(from, "count", named, materialized(from, step));
            case "reduce" -> from instanceof KGroupedTable
                ? Overload.call(
                    from, "reduce", Folds.reducer(step.get("adder")), Folds.reducer(step.get("subtractor")), named,
                    materialized(from, step))
                : Overload.call(from, "reduce", Folds.reducer(step.get("reducer")), named, materialized(from, step));
            case "aggregate" -> aggregate(from, step, named);
            default -> throw new Misread("no op here: " + step.json());
        };
    }

    private static Object aggregate(final Object from, final Step step, final Named named) {
        final JsonNode init = step.get("init");
        final String type = step.has("materialized") ? step.inner("materialized").text("value") : null;
        final Initializer<Object> initializer = () -> Values.fromJson(init, type);
        final Object store = materialized(from, step);
        if (from instanceof KGroupedTable) {
            return Overload.call(
                from, "aggregate", initializer, Folds.aggregator(step.get("adder")),
                Folds.aggregator(step.get("subtractor")), named, store);
        }
        final Object aggregator = step.has("aggregator") ? Folds.aggregator(step.get("aggregator")) : null;
        final Object merger = step.has("merger") ? Folds.merger(step.get("merger")) : null;
        return Overload.call(from, "aggregate", initializer, aggregator, merger, named, store);
    }

    private static Object materialized(final Object from, final Step step) {
        if (from instanceof KGroupedStream || from instanceof KGroupedTable || from instanceof CogroupedKStream) {
            return Options.keyValue(step);
        }
        if (from instanceof SessionWindowedKStream || from instanceof SessionWindowedCogroupedKStream) {
            return Options.session(step);
        }
        if (from instanceof TimeWindowedKStream || from instanceof TimeWindowedCogroupedKStream) {
            return Options.window(step);
        }
        throw new Misread("nothing to aggregate: " + from);
    }

    private static Object emitting(final Object windowed, final Step step) {
        if (!step.has("emit")) {
            return windowed;
        }
        final EmitStrategy strategy = step.text("emit").equals("on_close")
            ? EmitStrategy.onWindowClose()
            : EmitStrategy.onWindowUpdate();
        return Overload.call(windowed, "emitStrategy", strategy);
    }

    private static Object window(final Step window) {
        final Duration grace = window.has("grace") ? window.millis("grace") : null;
        return switch (window.text("type")) {
            case "tumbling" -> timeWindows(window, grace);
            case "hopping" -> timeWindows(window, grace).advanceBy(window.millis("advance"));
            case "sliding" -> grace == null
                ? SlidingWindows.ofTimeDifferenceWithNoGrace(window.millis("difference"))
                : SlidingWindows.ofTimeDifferenceAndGrace(window.millis("difference"), grace);
            case "session" -> grace == null
                ? SessionWindows.ofInactivityGapWithNoGrace(window.millis("gap"))
                : SessionWindows.ofInactivityGapAndGrace(window.millis("gap"), grace);
            case "unlimited" -> window.has("start")
                ? UnlimitedWindows.of().startOn(Instant.ofEpochMilli(window.get("start").longValue()))
                : UnlimitedWindows.of();
            default -> throw new Misread("unknown window " + window.json());
        };
    }

    private static TimeWindows timeWindows(final Step window, final Duration grace) {
        return grace == null
            ? TimeWindows.ofSizeWithNoGrace(window.millis("size"))
            : TimeWindows.ofSizeAndGrace(window.millis("size"), grace);
    }
}
