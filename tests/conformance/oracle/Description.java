package oracle;

import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.streams.Topology;

/** Topology.describe() with the names sorted that Java takes from hash sets (FORMAT.md §9). */
final class Description {
    private static final Pattern BRACKETS = Pattern.compile("\\((stores|topics): \\[([^\\]]*)\\]\\)");
    private static final Pattern ARROWS = Pattern.compile("(?m)^(\\s*(?:-->|<--) )(.*)$");

    private Description() {}

    static String of(final Topology topology) {
        final String text = BRACKETS.matcher(topology.describe().toString()).replaceAll(
            found -> Matcher.quoteReplacement("(" + found.group(1) + ": [" + sorted(found.group(2)) + "])"));
        return ARROWS.matcher(text).replaceAll(found -> Matcher.quoteReplacement(found.group(1) + sorted(found.group(2))));
    }

    private static String sorted(final String names) {
        return Arrays.stream(names.split(", ")).sorted().collect(Collectors.joining(", "));
    }
}
