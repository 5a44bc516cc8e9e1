import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;

public class AdOutcomes {
    static Topology adOutcomes() {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> shown =
            builder.stream("shown", Consumed.with(Serdes.String(), Serdes.String()));
        KStream<String, String> clicked =
            builder.stream("clicked", Consumed.with(Serdes.String(), Serdes.String()));
        shown
            .leftJoin(
                clicked,
                (ad, click) -> ad + ": " + (click == null ? "no click" : click),
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMinutes(5), Duration.ofMinutes(1))
                    .before(Duration.ZERO),
                StreamJoined.with(Serdes.String(), Serdes.String(), Serdes.String()).withStoreName("ads"))
            .to("outcomes", Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    public static void main(String[] args) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:9092");
        try (var driver = new TopologyTestDriver(adOutcomes(), config)) {
            var shown = driver.createInputTopic("shown", new StringSerializer(), new StringSerializer());
            var clicked = driver.createInputTopic("clicked", new StringSerializer(), new StringSerializer());
            var outcomes = driver.createOutputTopic("outcomes", new StringDeserializer(), new StringDeserializer());
            shown.pipeInput("ann", "shoes", 0);
            shown.pipeInput("bob", "bread", 60_000);
            clicked.pipeInput("ann", "bought", 180_000);
            shown.pipeInput("cid", "books", 540_000);
            for (var outcome : outcomes.readRecordsToList()) {
                System.out.println(outcome.timestamp() / 60_000 + " " + outcome.key() + " " + outcome.value());
            }
        }
    }
}
