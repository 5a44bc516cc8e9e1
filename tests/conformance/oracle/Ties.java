package oracle;

import java.util.Comparator;
import java.util.PriorityQueue;
import org.apache.kafka.streams.processor.internals.ProcessorNode;
import org.apache.kafka.streams.processor.internals.RecordQueue;
import org.apache.kafka.streams.processor.internals.StreamTask;

/**
 * How equal times are decided: as Java happens to, or on purpose one way or the other, to see whether a scenario depends
 * on it.
 */
enum Ties {
    JAVA, FIRST, LAST;

    void install(final StreamTask task) {
        if (this == JAVA) {
            return;
        }
        final int sign = this == FIRST ? 1 : -1;
        final Object group = Inside.get(task, "partitionGroup");
        final Comparator<RecordQueue> byTime = Comparator.comparingLong(
            queue -> (long) Inside.call(queue, "headRecordTimestamp"));
        Inside.set(group, "nonEmptyQueuesByTime", new PriorityQueue<>(
            byTime.thenComparing((a, b) -> sign * topic(a).compareTo(topic(b)))));
        replace(Inside.get(task, "streamTimePunctuationQueue"), sign);
        replace(Inside.get(task, "systemTimePunctuationQueue"), sign);
    }

    private static String topic(final RecordQueue queue) {
        return queue.partition().topic();
    }

    private static void replace(final Object punctuations, final int sign) {
        final PriorityQueue<Object> old = Inside.get(punctuations, "pq");
        final Comparator<Object> byTime = Comparator.comparingLong(schedule -> (long) Inside.get(schedule, "timestamp"));
        final PriorityQueue<Object> queue = new PriorityQueue<>(
            byTime.thenComparing((a, b) -> sign * node(a).compareTo(node(b))));
        queue.addAll(old);
        Inside.set(punctuations, "pq", queue);
    }

    private static String node(final Object schedule) {
        return ((ProcessorNode<?, ?, ?, ?>) Inside.call(schedule, "node")).name();
    }
}
