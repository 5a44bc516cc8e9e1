package oracle;

import java.time.Duration;
import java.util.function.BiFunction;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KeyValueMapper;
import org.apache.kafka.streams.kstream.TableJoined;

/** join, left_join and outer_join of every pair of things that can be joined. */
final class Joins {
    private Joins() {}

    static Object join(final Object from, final Object other, final Step step) {
        final String method = switch (step.text("op")) {
            case "join" -> "join";
            case "left_join" -> "leftJoin";
            case "outer_join" -> "outerJoin";
            default -> throw new Misread("unknown join " + step.json());
        };
        final Object joiner = Folds.readsKey(step.get("joiner")) ? Folds.joinerWithKey() : Folds.joiner(step.get("joiner"));
        final Object named = step.has("name") ? step.named() : null;
        if (from instanceof KStream && other instanceof KStream) {
            return Overload.call(from, method, other, joiner, windows(step.inner("window")), Options.streamJoined(step));
        }
        if (other instanceof GlobalKTable) {
            final BiFunction<Object, Object, Object> selector = Lambdas.selector(step.get("fn"));
            final KeyValueMapper<Object, Object, Object> mapper = selector::apply;
            return Overload.call(from, method, other, mapper, joiner, named);
        }
        if (from instanceof KStream) {
            return Overload.call(from, method, other, joiner, Options.joined(step));
        }
        if (step.has("fk")) {
            final TableJoined<Object, Object> joined = step.has("name") ? TableJoined.as(step.text("name")) : null;
            return Overload.call(from, method, other, Lambdas.selector(step.get("fk")), joiner, joined, Options.keyValue(step));
        }
        return Overload.call(from, method, other, joiner, named, Options.keyValue(step));
    }

    /** The order of calls keeps before + after ≥ 0 at every step, negative ones included. */
    private static JoinWindows windows(final Step window) {
        final long before = window.get("before").longValue();
        final long after = window.get("after").longValue();
        final Duration widest = Duration.ofMillis(Math.max(Math.abs(before), Math.abs(after)));
        final JoinWindows start = window.has("grace")
            ? JoinWindows.ofTimeDifferenceAndGrace(widest, window.millis("grace"))
            : JoinWindows.ofTimeDifferenceWithNoGrace(widest);
        return start.before(Duration.ofMillis(before)).after(Duration.ofMillis(after));
    }
}
