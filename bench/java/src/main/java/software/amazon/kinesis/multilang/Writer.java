package software.amazon.kinesis.multilang;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.multilang.messages.CheckpointMessage;
import software.amazon.kinesis.multilang.messages.Message;
import software.amazon.kinesis.multilang.messages.StatusMessage;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/**
 * Writes batches to a processor with the daemon's own classes, and waits for each status as the daemon does. Fetching from Kinesis is
 * left out: every batch is the same one.
 *
 * <p>The class is in Amazon's package because the classes that it uses are visible only there.
 */
public final class Writer {
    /** The batches before the measurement: the JVM compiles the hot code meanwhile. */
    private static final int WARM_UP = 3;

    private final MessageWriter writer = new MessageWriter();
    private final MessageReader reader = new MessageReader();

    private Writer(Process child, Counter output, ExecutorService executor) {
        ObjectMapper mapper = new ObjectMapper();
        writer.initialize(output, "shardId-000000000000", mapper, executor);
        reader.initialize(child.getInputStream(), "shardId-000000000000", mapper, executor);
    }

    /** Arguments: seed, records of a batch, bytes of a record, bytes to write, the processor's command. */
    public static void main(String[] arguments) throws Exception {
        long seed = Long.parseLong(arguments[0]);
        List<KinesisClientRecord> records =
                records(seed, Integer.parseInt(arguments[1]), Integer.parseInt(arguments[2]));
        long wanted = Long.parseLong(arguments[3]);
        List<String> command = Arrays.asList(arguments).subList(4, arguments.length);

        Process child = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        ExecutorService executor = Executors.newCachedThreadPool();
        Counter output = new Counter(child.getOutputStream());
        Writer writer = new Writer(child, output, executor);
        writer.initialize();
        ProcessRecordsInput batch = ProcessRecordsInput.builder()
                .records(records)
                .millisBehindLatest(0L)
                .build();
        while (output.written < wanted / WARM_UP) {
            writer.process(batch);
        }

        long bytes = output.written;
        long batches = 0;
        long jvm = cpu();
        long processor = cpu(child);
        long started = System.nanoTime();
        while (output.written - bytes < wanted) {
            writer.process(batch);
            batches++;
        }
        long elapsed = System.nanoTime() - started;
        System.out.printf(
                "%d %d %d %d %d%n",
                batches * records.size(), output.written - bytes, elapsed, cpu() - jvm, cpu(child) - processor);
        writer.end();
        output.close();
        child.waitFor();
        executor.shutdown();
    }

    private static List<KinesisClientRecord> records(long seed, int count, int bytes) {
        Random random = new Random(seed);
        List<KinesisClientRecord> records = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] data = new byte[bytes];
            random.nextBytes(data);
            records.add(KinesisClientRecord.builder()
                    .sequenceNumber(String.format("4968045894958102147884071699982107367%019d", i))
                    .subSequenceNumber(0)
                    .partitionKey(String.format("customer-%08d", random.nextInt(100_000_000)))
                    .approximateArrivalTimestamp(Instant.ofEpochMilli(1_795_348_000_000L + i))
                    .data(ByteBuffer.wrap(data))
                    .build());
        }
        return records;
    }

    private void initialize() throws Exception {
        writer.writeInitializeMessage(InitializationInput.builder()
                        .shardId("shardId-000000000000")
                        .extendedSequenceNumber(ExtendedSequenceNumber.TRIM_HORIZON)
                        .build())
                .get();
        awaitStatus();
    }

    private void process(ProcessRecordsInput batch) throws Exception {
        batch.records().forEach(record -> record.data().rewind());
        writer.writeProcessRecordsMessage(batch).get();
        awaitStatus();
    }

    private void end() throws Exception {
        writer.writeLeaseLossMessage(LeaseLostInput.builder().build()).get();
        awaitStatus();
    }

    /** Answers checkpoints until the status arrives. */
    private void awaitStatus() throws Exception {
        while (true) {
            Message message = reader.getNextMessageFromSTDOUT().get();
            if (message instanceof StatusMessage) {
                return;
            }
            if (message instanceof CheckpointMessage checkpoint) {
                writer.writeCheckpointMessageWithError(
                                checkpoint.getSequenceNumber(), checkpoint.getSubSequenceNumber(), null)
                        .get();
            }
        }
    }

    /** The CPU time of this JVM in nanoseconds. */
    private static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    /** The CPU time of a process in nanoseconds. */
    private static long cpu(Process process) {
        return process.info().totalCpuDuration().orElseThrow().toNanos();
    }

    /** Counts what is written. */
    private static final class Counter extends OutputStream {
        private final OutputStream output;
        private volatile long written;

        private Counter(OutputStream output) {
            this.output = output;
        }

        @Override
        public void write(int one) throws IOException {
            output.write(one);
            written++;
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            output.write(bytes, offset, length);
            written += length;
        }

        @Override
        public void flush() throws IOException {
            output.flush();
        }

        @Override
        public void close() throws IOException {
            output.close();
        }
    }
}
