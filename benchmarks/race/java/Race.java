package race;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;

/** The topologies of topologies.py on one stream thread, until standard input ends. */
public final class Race {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private Race() {}

    public static void main(final String[] args) throws IOException {
        final Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, env("SERVERS"));
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, env("GROUP"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, env("GUARANTEE"));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, env("COMMIT_MS"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, env("STATE"));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        if (!env("CACHE").isEmpty()) {
            settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, env("CACHE"));
        }
        final KafkaStreams streams = new KafkaStreams(topology(env("SHAPE")), settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        while (System.in.read() >= 0) { }
        streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP)
                .withTimeout(Duration.ofSeconds(30)));
        System.exit(0);
    }

    private static Topology topology(final String shape) {
        final Serde<String> text = Serdes.String();
        final Serde<JsonNode> json = Serdes.serdeFrom(Race::encode, Race::decode);
        final StreamsBuilder builder = new StreamsBuilder();
        final KStream<String, JsonNode> stream = builder.stream(env("INPUT"), Consumed.with(text, json));
        final long window = Long.parseLong(env("WINDOW"));
        switch (shape) {
            case "stateless" -> stream.filter((key, value) -> value.get("n").asLong() % 10 != 9)
                    .mapValues(value -> (JsonNode) ((ObjectNode) value).put("name", "seen"))
                    .to(env("OUTPUT"), Produced.with(text, json));
            case "count" -> stream.groupByKey()
                    .count(Materialized.as("counts"))
                    .toStream()
                    .to(env("OUTPUT"), Produced.with(text, Serdes.Long()));
            case "window" -> stream.groupByKey()
                    .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMillis(window)))
                    .count(Materialized.as("counts"))
                    .toStream()
                    .to(env("OUTPUT"), Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, window), Serdes.Long()));
            default -> throw new IllegalArgumentException(shape);
        }
        return builder.build();
    }

    private static byte[] encode(final String topic, final JsonNode value) {
        try {
            return MAPPER.writeValueAsBytes(value);
        } catch (final IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    private static JsonNode decode(final String topic, final byte[] data) {
        try {
            return MAPPER.readTree(data);
        } catch (final IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    private static String env(final String name) {
        return System.getenv().getOrDefault("RACE_" + name, "");
    }
}
