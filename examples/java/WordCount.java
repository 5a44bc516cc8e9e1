import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

public class WordCount {
    static Topology wordCount() {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> lines =
            builder.stream("lines", Consumed.with(Serdes.String(), Serdes.String()));
        lines
            .flatMapValues(line -> Arrays.asList(line.toLowerCase().split("\\W+")))
            .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.as("counts"))
            .toStream()
            .to("word-counts", Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    public static void main(String[] args) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:9092");
        try (var driver = new TopologyTestDriver(wordCount(), config)) {
            var lines = driver.createInputTopic("lines", new StringSerializer(), new StringSerializer());
            var counts = driver.createOutputTopic("word-counts", new StringDeserializer(), new LongDeserializer());
            lines.pipeInput("hello streams");
            lines.pipeInput("hello Kafka");
            for (var count : counts.readKeyValuesToList()) {
                System.out.println(count.key + " " + count.value);
            }
        }
    }
}
