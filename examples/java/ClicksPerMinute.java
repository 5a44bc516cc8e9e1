import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindowedDeserializer;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;

public class ClicksPerMinute {
    static Topology clicksPerMinute() {
        StreamsBuilder builder = new StreamsBuilder();
        builder
            .stream("clicks", Consumed.with(Serdes.String(), Serdes.String()))
            .groupByKey()
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofSeconds(10)))
            .emitStrategy(EmitStrategy.onWindowClose())
            .count(Materialized.as("clicks-per-minute"))
            .toStream()
            .to("clicks-per-minute", Produced.with(
                WindowedSerdes.timeWindowedSerdeFrom(String.class, 60_000L), Serdes.Long()));
        return builder.build();
    }

    public static void main(String[] args) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:9092");
        try (var driver = new TopologyTestDriver(clicksPerMinute(), config)) {
            var clicks = driver.createInputTopic("clicks", new StringSerializer(), new StringSerializer());
            var counts = driver.createOutputTopic(
                "clicks-per-minute",
                new TimeWindowedDeserializer<>(new StringDeserializer(), 60_000L),
                new LongDeserializer());
            clicks.pipeInput("/home", "ann", 5_000);
            clicks.pipeInput("/home", "bob", 62_000);
            clicks.pipeInput("/home", "cid", 59_000);
            clicks.pipeInput("/home", "dan", 70_000);
            clicks.pipeInput("/home", "eve", 8_000);
            clicks.pipeInput("/about", "fay", 130_000);
            for (var count : counts.readKeyValuesToList()) {
                System.out.println(count.key + " " + count.value);
            }
        }
    }
}
