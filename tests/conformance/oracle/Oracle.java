package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.common.utils.AppInfoParser;

/** Reads scenario files of one directory and writes them, expected fields filled, under the same names to another. */
public final class Oracle {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private Oracle() {}

    public static void main(final String[] args) throws IOException, InterruptedException, ExecutionException {
        final Path from = Path.of(args[0]);
        final Path to = Path.of(args[1]);
        final ExecutorService pool = Executors.newFixedThreadPool(Integer.parseInt(args[2]));
        final AtomicInteger failures = new AtomicInteger();
        try (var files = Files.list(from)) {
            for (final Path file : files.filter(path -> path.toString().endsWith(".json")).sorted().toList()) {
                answer(file, to.resolve(file.getFileName()), pool, failures);
            }
        } finally {
            pool.shutdownNow();
        }
        System.exit(failures.get() == 0 ? 0 : 1);
    }

    private static void answer(final Path file, final Path target, final ExecutorService pool, final AtomicInteger failures)
            throws IOException, InterruptedException, ExecutionException {
        final long start = System.nanoTime();
        final ObjectNode document = (ObjectNode) MAPPER.readTree(file.toFile());
        document.put("kafka", AppInfoParser.getVersion());
        final List<Future<ObjectNode>> results = new ArrayList<>();
        for (final JsonNode scenario : document.get("scenarios")) {
            results.add(pool.submit(() -> checked(scenario, failures)));
        }
        final ArrayNode answered = document.putArray("scenarios");
        for (final Future<ObjectNode> result : results) {
            if (result.get() != null) {
                answered.add(result.get());
            }
        }
        MAPPER.writeValue(target.toFile(), document);
        System.out.printf("%s: %d scenarios in %.1f s%n", file.getFileName(), answered.size(), (System.nanoTime() - start) / 1e9);
    }

    /**
     * Java's answer, after a look at whether it hangs on how ties are broken; null and a message for a scenario that
     * cannot stand.
     */
    private static ObjectNode checked(final JsonNode scenario, final AtomicInteger failures) {
        final String name = scenario.path("name").asText();
        try {
            final ObjectNode first = new Play(scenario).run(Ties.FIRST);
            final ObjectNode last = new Play(scenario).run(Ties.LAST);
            if (first.equals(last)) {
                return first;
            }
            final ObjectNode answer = new Play(scenario).run(Ties.JAVA);
            if (!byTopic(answer).equals(byTopic(first)) || !byTopic(answer).equals(byTopic(last))) {
                throw new IllegalStateException("the outcome depends on how ties are broken");
            }
            return answer.put("order", "topic");
        } catch (final IOException | RuntimeException | Misread | OutOfMemoryError broken) {
            failures.incrementAndGet();
            System.out.printf("FAILED %s: %s%n", name, broken);
            trace(broken);
            return null;
        }
    }

    /** Shows why a scenario was refused or died, to whoever writes one: ORACLE_TRACE=1 scripts/vectors expand FAMILY NAME. */
    static void trace(final Throwable thrown) {
        if (System.getenv("ORACLE_TRACE") != null) {
            thrown.printStackTrace(System.err);
        }
    }

    /** The same scenario with each event's expectations sorted by topic. */
    private static ObjectNode byTopic(final ObjectNode scenario) {
        final ObjectNode copy = scenario.deepCopy();
        for (final JsonNode event : copy.path("events")) {
            if (event.has("expect")) {
                final List<JsonNode> rows = new ArrayList<>();
                event.get("expect").forEach(rows::add);
                rows.sort((a, b) -> a.get("topic").textValue().compareTo(b.get("topic").textValue()));
                ((ObjectNode) event).putArray("expect").addAll(rows);
            }
        }
        copy.put("order", "topic");
        return copy;
    }
}
