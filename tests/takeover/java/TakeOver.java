package takeover;

import java.io.IOException;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;

/** The topology of topology.py, run until standard input ends; it leaves its group, so that the next may begin. */
public final class TakeOver {
    private static final Duration WINDOW = Duration.ofSeconds(10);
    private static final Duration REACH = Duration.ofSeconds(1);
    private static final Duration GRACE = Duration.ofDays(1);

    private TakeOver() {}

    public static void main(final String[] args) throws IOException, InterruptedException {
        final Properties settings = settings(args[0], args[1], args[2], args[3]);
        final KafkaStreams streams = new KafkaStreams(topology(args[1]), settings);
        final CountDownLatch failed = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            failed.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        while (System.in.read() >= 0) { }
        final CloseOptions leave = CloseOptions
                .groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP)
                .withTimeout(Duration.ofSeconds(30));
        final boolean closed = streams.close(leave);
        System.exit(closed && failed.getCount() == 1 ? 0 : 1);
    }

    private static Properties settings(
            final String servers, final String application, final String guarantee, final String directory) {
        final Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, servers);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, directory);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        // every update is sent, so that each must be there once
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        return settings;
    }

    private static Topology topology(final String application) {
        final var text = Serdes.String();
        final StreamsBuilder builder = new StreamsBuilder();
        final KStream<String, String> left = builder.stream(application + ".left", Consumed.with(text, text));
        final KStream<String, String> right = builder.stream(application + ".right", Consumed.with(text, text));

        left.groupByKey()
                .count(Materialized.as("counts"))
                .toStream()
                .to(application + ".counts", Produced.with(text, Serdes.Long()));

        // the store and its repartition topic have the names that Java makes up
        left.groupBy((key, value) -> key.substring(key.length() - 1), Grouped.with(text, text))
                .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
                .count()
                .toStream()
                .map((window, count) -> KeyValue.pair(window.key() + "@" + window.window().start(), count))
                .to(application + ".windows", Produced.with(text, Serdes.Long()));

        left.join(
                        right,
                        (one, other) -> one + "+" + other,
                        JoinWindows.ofTimeDifferenceAndGrace(REACH, GRACE),
                        StreamJoined.with(text, text, text).withName("pairs").withStoreName("pairs"))
                .to(application + ".pairs", Produced.with(text, text));
        return builder.build();
    }
}
