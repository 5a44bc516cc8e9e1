package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HexFormat;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.TimeWindowedDeserializer;
import org.apache.kafka.streams.kstream.TimeWindowedSerializer;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.kstream.internals.TimeWindow;

/** Serdes by name, and the way between JSON and Java objects (FORMAT.md §6). */
final class Values {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final HexFormat HEX = HexFormat.of();

    private Values() {}

    /** The serde of this name, null for an absent one. */
    static Serde<?> serde(final String name) {
        if (name == null) {
            return null;
        }
        if (name.startsWith("time_windowed:")) {
            final int split = name.lastIndexOf(':');
            final long size = Long.parseLong(name.substring(split + 1));
            return timeWindowed(serde(name.substring("time_windowed:".length(), split)), size);
        }
        if (name.startsWith("session_windowed:")) {
            return new WindowedSerdes.SessionWindowedSerde<>(serde(name.substring("session_windowed:".length())));
        }
        return switch (name) {
            case "string" -> Serdes.String();
            case "long" -> Serdes.Long();
            case "integer" -> Serdes.Integer();
            case "double" -> Serdes.Double();
            case "bytes" -> Serdes.Bytes();
            default -> throw new Misread("unknown serde " + name);
        };
    }

    private static <T> Serde<?> timeWindowed(final Serde<T> inner, final long size) {
        return Serdes.serdeFrom(
            new TimeWindowedSerializer<>(inner.serializer()), new TimeWindowedDeserializer<>(inner.deserializer(), size));
    }

    /** The class that stands for a plain serde in a configuration. */
    static Class<?> serdeClass(final String name) {
        return serde(name).getClass();
    }

    /** An object of the serde's type; without a serde (lambda arguments) text, long or double. */
    static Object fromJson(final JsonNode json, final String serde) {
        if (json == null || json.isNull()) {
            return null;
        }
        if (serde == null) {
            if (json.isTextual()) {
                return json.textValue();
            }
            return json.isIntegralNumber() ? (Object) json.longValue() : (Object) json.doubleValue();
        }
        if (serde.startsWith("time_windowed:")) {
            final String inner = serde.substring("time_windowed:".length(), serde.lastIndexOf(':'));
            return new Windowed<>(fromJson(json.get("key"), inner), new TimeWindow(start(json), end(json)));
        }
        if (serde.startsWith("session_windowed:")) {
            final String inner = serde.substring("session_windowed:".length());
            return new Windowed<>(fromJson(json.get("key"), inner), new SessionWindow(start(json), end(json)));
        }
        return switch (serde) {
            case "string" -> json.textValue();
            case "long" -> json.longValue();
            case "integer" -> json.intValue();
            case "double" -> json.doubleValue();
            case "bytes" -> Bytes.wrap(HEX.parseHex(json.textValue()));
            default -> throw new Misread("unknown serde " + serde);
        };
    }

    private static long start(final JsonNode windowed) {
        return windowed.get("start").longValue();
    }

    private static long end(final JsonNode windowed) {
        return windowed.get("end").longValue();
    }

    /** An object of the serde's type read from a command word; "-" is null. */
    static Object fromWord(final String word, final String serde) {
        if (word.equals("-")) {
            return null;
        }
        return switch (serde) {
            case "string" -> word;
            case "long" -> Long.valueOf(word);
            case "integer" -> Integer.valueOf(word);
            case "double" -> Double.valueOf(word);
            default -> throw new Misread("no command words for serde " + serde);
        };
    }

    static JsonNode toJson(final Object value) {
        if (value == null) {
            return JSON.nullNode();
        }
        if (value instanceof Windowed<?> windowed) {
            final ObjectNode node = JSON.objectNode();
            node.set("key", toJson(windowed.key()));
            return node.put("start", windowed.window().start()).put("end", windowed.window().end());
        }
        if (value instanceof String text) {
            return JSON.textNode(text);
        }
        if (value instanceof Long number) {
            return JSON.numberNode(number);
        }
        if (value instanceof Integer number) {
            return JSON.numberNode(number);
        }
        if (value instanceof Double number) {
            return JSON.numberNode(number);
        }
        if (value instanceof Bytes bytes) {
            return hex(bytes.get());
        }
        throw new Misread("no JSON for " + value.getClass());
    }

    static JsonNode hex(final byte[] bytes) {
        return bytes == null ? JSON.nullNode() : JSON.textNode(HEX.formatHex(bytes));
    }

    static byte[] unhex(final String text) {
        return HEX.parseHex(text);
    }

    /** str(x) of FORMAT.md §4. */
    static String text(final Object value) {
        if (value instanceof Windowed<?> windowed) {
            return text(windowed.key()) + "@" + windowed.window().start() + "-" + windowed.window().end();
        }
        return String.valueOf(value);
    }

    /** Equality of a value with a lambda's argument: numbers by value whatever their type. */
    static boolean same(final Object value, final Object argument) {
        if (value instanceof Number left && argument instanceof Number right) {
            return left.doubleValue() == right.doubleValue() && left.longValue() == right.longValue();
        }
        if (value instanceof Bytes bytes && argument instanceof String text) {
            return HEX.formatHex(bytes.get()).equals(text);
        }
        return value == null ? argument == null : value.equals(argument);
    }

    /** A sum, difference or product that keeps the wider type of both; null counts as 0. */
    static Object arithmetic(final Object left, final char operator, final Object right) {
        final Object typed = left != null ? left : right;
        if (left instanceof Double || right instanceof Double) {
            return (Object) calculate(number(left).doubleValue(), operator, number(right).doubleValue());
        }
        final long result = calculate(number(left).longValue(), operator, number(right).longValue());
        return typed instanceof Integer ? (Object) (int) result : (Object) result;
    }

    private static Number number(final Object value) {
        return value == null ? (Number) 0L : (Number) value;
    }

    private static long calculate(final long left, final char operator, final long right) {
        return operator == '+' ? left + right : operator == '-' ? left - right : left * right;
    }

    private static double calculate(final double left, final char operator, final double right) {
        return operator == '+' ? left + right : operator == '-' ? left - right : left * right;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static int compare(final Object left, final Object right) {
        return ((Comparable) left).compareTo(right);
    }
}
