import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.Properties;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;

public class Invoices {
    record Order(String customer, int total) {}

    record Customer(String name) {}

    static <T> Serde<T> json(Class<T> type) {
        ObjectMapper mapper = new ObjectMapper();
        return Serdes.serdeFrom(
            (topic, value) -> {
                try {
                    return value == null ? null : mapper.writeValueAsBytes(value);
                } catch (JsonProcessingException cause) {
                    throw new SerializationException(cause);
                }
            },
            (topic, bytes) -> {
                try {
                    return bytes == null ? null : mapper.readValue(bytes, type);
                } catch (IOException cause) {
                    throw new SerializationException(cause);
                }
            });
    }

    static Topology invoices() {
        StreamsBuilder builder = new StreamsBuilder();
        KTable<String, Order> orders =
            builder.table("orders", Consumed.with(Serdes.String(), json(Order.class)));
        KTable<String, Customer> customers =
            builder.table("customers", Consumed.with(Serdes.String(), json(Customer.class)));
        KTable<String, String> invoice = orders.join(
            customers,
            (number, order) -> order.customer(),
            (order, customer) -> customer.name() + " owes " + order.total(),
            Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as("invoices")
                .withKeySerde(Serdes.String())
                .withValueSerde(Serdes.String()));
        invoice.toStream().to("invoices", Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    public static void main(String[] args) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:9092");
        try (var driver = new TopologyTestDriver(invoices(), config)) {
            var orders = driver.createInputTopic("orders", new StringSerializer(), json(Order.class).serializer());
            var customers =
                driver.createInputTopic("customers", new StringSerializer(), json(Customer.class).serializer());
            var texts = driver.createOutputTopic("invoices", new StringDeserializer(), new StringDeserializer());
            orders.pipeInput("order-1", new Order("c7", 30));
            orders.pipeInput("order-2", new Order("c7", 12));
            customers.pipeInput("c7", new Customer("Ann"));
            customers.pipeInput("c7", new Customer("Ann Lee"));
            orders.pipeInput("order-1", (Order) null);
            for (var text : texts.readKeyValuesToList()) {
                System.out.println(text.key + " " + text.value);
            }
        }
    }
}
