package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.kafka.streams.kstream.Aggregator;
import org.apache.kafka.streams.kstream.Merger;
import org.apache.kafka.streams.kstream.Reducer;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.ValueJoinerWithKey;

/** The named functions of FORMAT.md §4 that put two values together: reducers, aggregators, mergers, joiners. */
final class Folds {
    /** a = the old value or aggregate, v = the new value, k = the key (null for reducers and mergers). */
    private interface Fold {
        Object apply(Object k, Object a, Object v);
    }

    private Folds() {}

    static Reducer<Object> reducer(final JsonNode json) {
        final Lambdas.Call call = Lambdas.Call.of(json);
        final Fold fold = call.name().equals("first") ? (k, a, v) -> a : shared(call);
        return (old, value) -> fold.apply(null, old, value);
    }

    static Aggregator<Object, Object, Object> aggregator(final JsonNode json) {
        final Lambdas.Call call = Lambdas.Call.of(json);
        final Fold fold = switch (call.name()) {
            case "count" -> (k, a, v) -> Values.arithmetic(a, '+', 1);
            case "uncount" -> (k, a, v) -> Values.arithmetic(a, '-', 1);
            case "concat_key" -> (k, a, v) -> Values.text(a) + Values.text(k) + Values.text(v);
            case "concat_sep" -> (k, a, v) -> Values.text(a) + Values.text(v) + call.arg();
            case "concat_reset" -> (k, a, v) -> Values.same(v, call.arg()) ? null : Values.text(a) + Values.text(v);
            case "length_sum" -> (k, a, v) -> Values.arithmetic(a, '+', v == null ? 0L : Lambdas.length(v));
            default -> shared(call);
        };
        return (key, value, aggregate) -> fold.apply(key, aggregate, value);
    }

    static Merger<Object, Object> merger(final JsonNode json) {
        final Fold fold = shared(Lambdas.Call.of(json));
        return (key, one, two) -> fold.apply(key, one, two);
    }

    private static Fold shared(final Lambdas.Call call) {
        return switch (call.name()) {
            case "sum" -> (k, a, v) -> Values.arithmetic(a, '+', v);
            case "subtract" -> (k, a, v) -> Values.arithmetic(a, '-', v);
            case "max" -> (k, a, v) -> a == null || v == null ? (a == null ? v : a) : Values.compare(a, v) >= 0 ? a : v;
            case "min" -> (k, a, v) -> a == null || v == null ? (a == null ? v : a) : Values.compare(a, v) <= 0 ? a : v;
            case "concat" -> (k, a, v) -> Values.text(a) + Values.text(v);
            case "last" -> (k, a, v) -> v;
            case "remove_first" -> (k, a, v) -> removeFirst(Values.text(a), Values.text(v));
            case "sum_null_zero" -> (k, a, v) -> {
                final Object sum = Values.arithmetic(a, '+', v);
                return ((Number) sum).doubleValue() == 0 ? null : sum;
            };
            default -> throw call.unknown("reducer, aggregator or merger");
        };
    }

    private static String removeFirst(final String text, final String part) {
        final int at = text.indexOf(part);
        return at < 0 ? text : text.substring(0, at) + text.substring(at + part.length());
    }

    static boolean readsKey(final JsonNode json) {
        return json.isTextual() && json.textValue().equals("with_key");
    }

    static ValueJoinerWithKey<Object, Object, Object, Object> joinerWithKey() {
        return (key, left, right) -> Values.text(key) + ":" + concat(left, right);
    }

    static ValueJoiner<Object, Object, Object> joiner(final JsonNode json) {
        final Lambdas.Call call = Lambdas.Call.of(json);
        return switch (call.name()) {
            case "concat" -> Folds::concat;
            case "sum" -> (left, right) -> Values.arithmetic(left, '+', right);
            case "left" -> (left, right) -> left;
            case "right" -> (left, right) -> right;
            case "null_if_right" -> (left, right) -> Values.same(right, call.arg()) ? null : concat(left, right);
            default -> throw call.unknown("joiner");
        };
    }

    private static String concat(final Object left, final Object right) {
        return Values.text(left) + "+" + Values.text(right);
    }
}
