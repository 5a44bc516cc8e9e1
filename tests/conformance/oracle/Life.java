package oracle;

import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.Queue;
import java.util.Set;
import java.util.function.Function;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.processor.TaskId;
import org.apache.kafka.streams.processor.internals.InternalTopologyBuilder;
import org.apache.kafka.streams.processor.internals.ProcessorContextImpl;
import org.apache.kafka.streams.processor.internals.ProcessorStateManager;
import org.apache.kafka.streams.processor.internals.ProcessorTopology;
import org.apache.kafka.streams.processor.internals.RecordCollectorImpl;
import org.apache.kafka.streams.processor.internals.StateDirectory;
import org.apache.kafka.streams.processor.internals.StreamTask;
import org.apache.kafka.streams.processor.internals.StreamsProducer;
import org.apache.kafka.streams.processor.internals.Task;
import org.apache.kafka.streams.processor.internals.metrics.StreamsMetricsImpl;
import org.apache.kafka.streams.state.internals.ThreadCache;

/** A test driver that tells every record it sends, in order, and that can lose its process and its disk. */
final class Life implements AutoCloseable {
    private static final TaskId TASK = new TaskId(0, 0);

    private final TopologyTestDriver driver;
    private final Properties properties;
    private final Ties ties;
    private final List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
    private final Map<String, List<ConsumerRecord<byte[], byte[]>>> topics = new HashMap<>();
    private double droppedBefore;

    Life(final Topology topology, final Properties properties, final Ties ties) {
        this.properties = properties;
        this.ties = ties;
        this.driver = new TopologyTestDriver(topology, properties, Instant.EPOCH);
        Inside.set(driver, "outputRecordsByTopic", new Recorder());
        if (task() != null) {
            ties.install(task());
        }
    }

    TopologyTestDriver driver() {
        return driver;
    }

    StreamTask task() {
        return Inside.get(driver, "task");
    }

    void pipe(final String topic, final long timestamp, final byte[] key, final byte[] value, final Headers headers) {
        keep(topic, timestamp, key, value, headers);
        Inside.call(driver, "pipeRecord", topic, timestamp, key, value, headers);
    }

    void advanceWallClock(final long millis) {
        driver.advanceWallClockTime(Duration.ofMillis(millis));
    }

    /** The records sent since the last call. */
    List<ProducerRecord<byte[], byte[]>> take() {
        final List<ProducerRecord<byte[], byte[]>> taken = new ArrayList<>(sent);
        sent.clear();
        return taken;
    }

    double dropped() {
        return droppedBefore + driver.metrics().entrySet().stream()
            .filter(entry -> entry.getKey().name().equals("dropped-records-total"))
            .mapToDouble(entry -> (double) entry.getValue().metricValue())
            .sum();
    }

    /** Commits, loses memory and disk of the task, restores its stores and committed offsets, and goes on in the same driver. */
    void restart() {
        final double dropped = dropped();
        final StreamTask old = task();
        final StreamsMetricsImpl metrics = Inside.get(old, "streamsMetrics");
        old.suspend();
        Inside.call(driver, "commit", old.prepareCommit(true));
        old.postCommit(true);
        old.closeClean();
        Inside.call(driver, "captureOutputsAndReEnqueueInternalResults");
        wipe();
        final StreamTask next = nextTask(metrics);
        Inside.set(driver, "task", next);
        next.initializeIfNeeded();
        restore(Inside.get(next, "stateMgr"));
        next.completeRestoration(resetter -> { });
        final Consumer<byte[], byte[]> consumer = Inside.get(driver, "consumer");
        final Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(next.inputPartitions());
        for (final TopicPartition partition : next.inputPartitions()) {
            final OffsetAndMetadata offset = committed.get(partition);
            next.updateNextOffsets(partition, offset == null ? new OffsetAndMetadata(0, Optional.empty(), "") : offset);
        }
        ties.install(next);
        droppedBefore = 0;
        droppedBefore = dropped - dropped();
    }

    private void wipe() {
        final StateDirectory directory = Inside.get(driver, "stateDirectory");
        try {
            Utils.delete((File) Inside.call(directory, "getOrCreateDirectoryForTask", TASK));
        } catch (final IOException failed) {
            throw new IllegalStateException(failed);
        }
    }

    /** A second task on a fresh copy of the topology, made as the driver's constructor makes the first. */
    private StreamTask nextTask(final StreamsMetricsImpl metrics) {
        final InternalTopologyBuilder builder = Inside.get(driver, "internalTopologyBuilder");
        final ProcessorTopology topology = builder.buildTopology();
        Inside.set(driver, "processorTopology", topology);
        final StreamsConfig config = new StreamsConfig(properties);
        final LogContext log = Inside.get(driver, "logContext");
        final StateDirectory directory = Inside.get(driver, "stateDirectory");
        final Map<String, TopicPartition> byTopic = Inside.get(driver, "partitionsByInputTopic");
        final Set<TopicPartition> inputs = new HashSet<>(byTopic.values());
        final StreamsProducer producer = Inside.get(driver, "testDriverProducer");
        final ThreadCache cache = new ThreadCache(log, config.getLong(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG), metrics);
        final ProcessorStateManager state = new ProcessorStateManager(
            TASK, Task.TaskType.ACTIVE, false, log, directory, topology.storeToChangelogTopic(), inputs);
        final RecordCollectorImpl collector = new RecordCollectorImpl(
            log, TASK, producer, config.productionExceptionHandler(), metrics, topology);
        final Time time = Inside.get(driver, "mockWallClockTime");
        return new StreamTask(
            TASK, inputs, topology, Inside.get(driver, "consumer"), builder.topologyConfigs().getTaskConfig(), metrics,
            directory, cache, time, state, collector, new ProcessorContextImpl(TASK, config, state, metrics, cache), log, false);
    }

    private void restore(final ProcessorStateManager state) {
        for (final TopicPartition changelog : state.changelogOffsets().keySet()) {
            // as Java's changelog reader does, which meets null keys where a source topic is the changelog
            final List<ConsumerRecord<byte[], byte[]>> rows = topics.getOrDefault(changelog.topic(), List.of()).stream()
                .filter(row -> row.key() != null).toList();
            Inside.call(state, "restore", Inside.call(state, "storeMetadata", changelog), rows, OptionalLong.empty());
        }
    }

    private void keep(final String topic, final long timestamp, final byte[] key, final byte[] value, final Headers headers) {
        final List<ConsumerRecord<byte[], byte[]>> rows = topics.computeIfAbsent(topic, name -> new ArrayList<>());
        rows.add(new ConsumerRecord<>(
            topic, 0, rows.size(), timestamp, TimestampType.CREATE_TIME, key == null ? -1 : key.length,
            value == null ? -1 : value.length, key, value, headers, Optional.empty()));
    }

    @Override
    public void close() {
        driver.close();
    }

    /** Stands in for the driver's map of output queues: the driver adds each record it captures, in order of sending. */
    private final class Recorder extends HashMap<String, Queue<ProducerRecord<byte[], byte[]>>> {
        private static final long serialVersionUID = 1L;

        @Override
        public Queue<ProducerRecord<byte[], byte[]>> computeIfAbsent(
                final String topic, final Function<? super String, ? extends Queue<ProducerRecord<byte[], byte[]>>> make) {
            return new LinkedList<>() {
                private static final long serialVersionUID = 1L;

                @Override
                public boolean add(final ProducerRecord<byte[], byte[]> row) {
                    final Time time = Inside.get(driver, "mockWallClockTime");
                    final long timestamp = row.timestamp() == null ? time.milliseconds() : row.timestamp();
                    keep(topic, timestamp, row.key(), row.value(), row.headers());
                    return sent.add(row);
                }
            };
        }
    }
}
