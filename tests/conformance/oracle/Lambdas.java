package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.BiFunction;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Windowed;

/** The named functions of FORMAT.md §4: mappers, predicates, selectors, flat mappers. */
final class Lambdas {
    /** A lambda as written: its name and its arguments. */
    record Call(String name, List<Object> args) {
        static Call of(final JsonNode json) {
            if (json.isTextual()) {
                return new Call(json.textValue(), List.of());
            }
            final List<Object> args = new ArrayList<>();
            for (int i = 1; i < json.size(); i++) {
                args.add(Values.fromJson(json.get(i), null));
            }
            return new Call(json.get(0).textValue(), args);
        }

        Object arg() {
            return args.get(0);
        }

        long number() {
            return ((Number) args.get(0)).longValue();
        }

        Misread unknown(final String kind) {
            return new Misread("unknown " + kind + " " + name);
        }
    }

    /** What a throwing lambda throws. */
    static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refused(final String message) {
            super(message);
        }
    }

    private Lambdas() {}

    static BiFunction<Object, Object, Boolean> predicate(final JsonNode json) {
        final Call call = Call.of(json);
        return switch (call.name()) {
            case "always" -> (k, v) -> true;
            case "never" -> (k, v) -> false;
            case "key_not_null" -> (k, v) -> k != null;
            case "value_not_null" -> (k, v) -> v != null;
            case "key_is" -> (k, v) -> Values.same(k, call.arg());
            case "value_is" -> (k, v) -> Values.same(v, call.arg());
            case "is_even" -> (k, v) -> v != null && ((Number) v).longValue() % 2 == 0;
            case "value_gt" -> (k, v) -> v != null && ((Number) v).doubleValue() > ((Number) call.arg()).doubleValue();
            case "value_starts" -> (k, v) -> v != null && Values.text(v).startsWith((String) call.arg());
            case "value_longer" -> (k, v) -> v != null && length(v) > call.number();
            default -> throw call.unknown("predicate");
        };
    }

    static BiFunction<Object, Object, Object> valueMapper(final JsonNode json) {
        final Call call = Call.of(json);
        return switch (call.name()) {
            case "identity" -> (k, v) -> v;
            case "value_upper" -> (k, v) -> v == null ? null : Values.text(v).toUpperCase(Locale.ROOT);
            case "value_length" -> (k, v) -> v == null ? null : (Object) length(v);
            case "to_string" -> (k, v) -> v == null ? null : Values.text(v);
            case "append" -> (k, v) -> v == null ? null : Values.text(v) + call.arg();
            case "null_if" -> (k, v) -> Values.same(v, call.arg()) ? null : v;
            case "null_to" -> (k, v) -> v == null ? call.arg() : v;
            case "to_long" -> (k, v) -> v == null ? null : (Object) Long.valueOf(Values.text(v));
            case "add" -> (k, v) -> v == null ? null : typed(v, Values.arithmetic(v, '+', call.arg()));
            case "times" -> (k, v) -> v == null ? null : typed(v, Values.arithmetic(v, '*', call.arg()));
            case "with_key" -> (k, v) -> Values.text(k) + ":" + Values.text(v);
            case "throw_if" -> (k, v) -> {
                if (Values.same(v, call.arg())) {
                    throw new Refused("refused value " + v);
                }
                return v;
            };
            default -> throw call.unknown("value mapper");
        };
    }

    private static Object typed(final Object like, final Object result) {
        return like instanceof Integer ? (Object) ((Number) result).intValue() : result;
    }

    static BiFunction<Object, Object, KeyValue<Object, Object>> pairMapper(final JsonNode json) {
        final Call call = Call.of(json);
        return switch (call.name()) {
            case "identity" -> KeyValue::pair;
            case "swap" -> (k, v) -> KeyValue.pair(v, k);
            case "value_to_key" -> (k, v) -> KeyValue.pair(v, v);
            case "first_char_to_key" -> (k, v) -> KeyValue.pair(firstChar(v), v);
            case "key_append" -> (k, v) -> KeyValue.pair(k == null ? null : Values.text(k) + call.arg(), v);
            case "null_key" -> (k, v) -> KeyValue.pair(null, v);
            case "const_key" -> (k, v) -> KeyValue.pair(call.arg(), v);
            case "fk_to_key" -> (k, v) -> KeyValue.pair(foreignKey(v), v);
            case "mod_to_key" -> (k, v) -> KeyValue.pair(modulo(v, call.number()), v);
            default -> throw call.unknown("pair mapper");
        };
    }

    static BiFunction<Object, Object, Object> selector(final JsonNode json) {
        final Call call = Call.of(json);
        return switch (call.name()) {
            case "key" -> (k, v) -> k;
            case "value" -> (k, v) -> v;
            case "const" -> (k, v) -> call.arg();
            case "first_char" -> (k, v) -> firstChar(v);
            case "key_first_char" -> (k, v) -> firstChar(k);
            case "fk" -> (k, v) -> foreignKey(v);
            case "value_mod" -> (k, v) -> modulo(v, call.number());
            case "key_value" -> (k, v) -> Values.text(k) + ":" + Values.text(v);
            case "null_if_value" -> (k, v) -> Values.same(v, call.arg()) ? null : k;
            case "inner_key" -> (k, v) -> ((Windowed<?>) k).key();
            case "window_label" -> (k, v) -> Values.text(k);
            default -> throw call.unknown("selector");
        };
    }

    static BiFunction<Object, Object, Iterable<Object>> flatValueMapper(final JsonNode json) {
        final Call call = Call.of(json);
        return switch (call.name()) {
            case "split_words" -> (k, v) -> words(v);
            case "chars" -> (k, v) -> characters(v);
            case "repeat" -> (k, v) -> Collections.nCopies((int) call.number(), v);
            default -> throw call.unknown("flat value mapper");
        };
    }

    static BiFunction<Object, Object, Iterable<KeyValue<Object, Object>>> flatPairMapper(final JsonNode json) {
        final Call call = Call.of(json);
        return switch (call.name()) {
            case "words_to_keys" -> (k, v) -> {
                final List<KeyValue<Object, Object>> pairs = new ArrayList<>();
                words(v).forEach(word -> pairs.add(KeyValue.pair(word, k)));
                return pairs;
            };
            case "twice" -> (k, v) -> List.of(KeyValue.pair(k, v), KeyValue.pair(k, v));
            default -> throw call.unknown("flat pair mapper");
        };
    }

    private static List<Object> words(final Object value) {
        return value == null || Values.text(value).isEmpty()
            ? List.of()
            : Arrays.asList((Object[]) Values.text(value).split(" ", -1));
    }

    private static List<Object> characters(final Object value) {
        final List<Object> found = new ArrayList<>();
        if (value != null) {
            Values.text(value).codePoints().forEach(point -> found.add(Character.toString(point)));
        }
        return found;
    }

    static long length(final Object value) {
        final String text = Values.text(value);
        return text.codePointCount(0, text.length());
    }

    private static String firstChar(final Object value) {
        if (value == null || Values.text(value).isEmpty()) {
            return null;
        }
        return Character.toString(Values.text(value).codePointAt(0));
    }

    private static String foreignKey(final Object value) {
        final int bar = value == null ? -1 : Values.text(value).indexOf('|');
        return bar < 0 ? null : Values.text(value).substring(0, bar);
    }

    private static String modulo(final Object value, final long divisor) {
        return value == null ? null : Long.toString(Math.floorMod(((Number) value).longValue(), divisor));
    }
}
