package kcl.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.commons.beanutils.BeanUtilsBean;
import org.apache.commons.beanutils.ConvertUtilsBean;
import software.amazon.kinesis.checkpoint.ShardRecordProcessorCheckpointer;
import software.amazon.kinesis.leases.ShardInfo;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.multilang.WatchedProcessor;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/**
 * One scenario: a lease row and the processors that hold it one after the other, driven step by step in the same way
 * as by the KCL's tasks.
 */
final class Conversation {
    /** Far longer than any step takes: a step that reaches it has hung. */
    private static final long DEADLINE_SECONDS = 30;

    private static final int POLL_MILLIS = 2;

    private final Path folder;
    private final JsonNode scenario;
    private final ExecutorService executor;
    private final LeaseRow lease;
    private final List<Child> children = new ArrayList<>();

    private WatchedProcessor processor;
    private ShardRecordProcessorCheckpointer checkpointer;
    private volatile Child child;

    private Conversation(JsonNode scenario) {
        this.scenario = scenario;
        this.folder = Path.of(scenario.get("folder").textValue());
        this.lease = new LeaseRow(position(scenario.get("lease")));
        this.executor = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, folder.toString());
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Runs a scenario to its end or to the first step that hangs, and reports the state after each step. */
    static ObjectNode run(JsonNode scenario) {
        ObjectNode report = JsonNodeFactory.instance.objectNode();
        report.put("name", scenario.get("name").textValue());
        ArrayNode steps = report.putArray("steps");
        Conversation conversation = null;
        try {
            conversation = new Conversation(scenario);
            for (JsonNode step : scenario.get("steps")) {
                ObjectNode seen = steps.addObject();
                conversation.step(step, seen);
                if (seen.get("hung").booleanValue()) {
                    break;
                }
            }
        } catch (Exception | AssertionError e) {
            report.put("error", e.toString());
        } finally {
            if (conversation != null) {
                report.put("leftOver", conversation.end());
            }
        }
        return report;
    }

    private boolean end() {
        boolean leftOver = false;
        for (Child child : children) {
            if (child.isAlive()) {
                leftOver = true;
                child.destroyForcibly();
            }
        }
        executor.shutdownNow();
        return leftOver;
    }

    private void step(JsonNode step, ObjectNode seen) throws Exception {
        long eventsBefore = size(events());
        ArrayNode sent = seen.putArray("sent");
        lease.refuse(refusal(step.get("refuse")));
        Long cut = step.hasNonNull("cut") ? step.get("cut").longValue() : null;
        if (child != null) {
            child.cutAfter(cut);
        }

        Callable<Void> action = action(step, cut, sent);
        Future<Void> done = executor.submit(action);
        boolean hung = false;
        try {
            for (JsonNode meanwhile : step.path("during")) {
                meanwhile(meanwhile, eventsBefore, done);
            }
            done.get(DEADLINE_SECONDS, TimeUnit.SECONDS);
            if (child != null && child.isEnding()) {
                // Amazon's class does not always wait itself: during shutdownRequested, for example, it does not.
                child.ended().get(DEADLINE_SECONDS, TimeUnit.SECONDS);
            }
        } catch (TimeoutException e) {
            hung = true;
            child.destroyForcibly();
        } catch (ExecutionException e) {
            throw new Exception("the step " + step.get("do") + " failed: " + e.getCause(), e.getCause());
        }
        lease.refuse(LeaseRow.Refusal.NONE);

        seen.put("hung", hung);
        seen.put("gaveUp", processor != null && processor.gaveUp());
        ExtendedSequenceNumber value = lease.value();
        seen.put("sequenceNumber", value == null ? null : value.sequenceNumber());
        seen.put("subSequenceNumber", value == null ? 0 : value.subSequenceNumber());
        seen.put("exit", child == null || child.isAlive() ? null : child.exitValue());
        seen.put("life", children.size());
        seen.put("events", size(events()));
        seen.put("out", children.isEmpty() ? 0 : size(life().resolve("out.jsonl")));
    }

    private Callable<Void> action(JsonNode step, Long cut, ArrayNode sent) throws Exception {
        String what = step.get("do").textValue();
        return switch (what) {
            case "initialize" -> () -> initialize(step, cut);
            case "processRecords" -> {
                ProcessRecordsInput input = batch(step, sent);
                yield () -> {
                    processor.processRecords(input);
                    return null;
                };
            }
            case "leaseLost" -> () -> {
                processor.leaseLost(LeaseLostInput.builder().build());
                return null;
            };
            case "shardEnded" -> () -> {
                checkpointer.sequenceNumberAtShardEnd(checkpointer.largestPermittedCheckpointValue());
                checkpointer.largestPermittedCheckpointValue(ExtendedSequenceNumber.SHARD_END);
                processor.shardEnded(
                        ShardEndedInput.builder().checkpointer(checkpointer).build());
                return null;
            };
            case "shutdownRequested" -> () -> {
                processor.shutdownRequested(ShutdownRequestedInput.builder()
                        .checkpointer(checkpointer)
                        .build());
                return null;
            };
            case "endOfInput" -> this::endOfInput;
            case "signal" -> () -> {
                signal(step.get("signal").textValue());
                return null;
            };
            default -> throw new IllegalArgumentException("no such step: " + what);
        };
    }

    /** Starts another processor on the row, as a worker that takes the lease does. */
    private Void initialize(JsonNode step, Long cut) throws Exception {
        if (step.has("lease")) {
            lease.value(position(step.get("lease")));
        }
        List<String> command = new ArrayList<>();
        step.get("command").forEach(word -> command.add(word.textValue()));
        ProcessBuilder builder = new ProcessBuilder(command);
        step.get("environment").fields().forEachRemaining(variable ->
                builder.environment().put(variable.getKey(), variable.getValue().textValue()));

        Files.createDirectories(folder.resolve(Integer.toString(children.size() + 1)));
        processor = new WatchedProcessor(builder, executor, configuration(), started -> {
            try {
                child = new Child(started, folder.resolve(Integer.toString(children.size() + 1)), cut);
                children.add(child);
                return child;
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });

        String shard = step.get("shard").textValue();
        ExtendedSequenceNumber start = lease.value();
        checkpointer = new ShardRecordProcessorCheckpointer(
                new ShardInfo(shard, "token", List.of(), start), lease);
        checkpointer.largestPermittedCheckpointValue(start);
        checkpointer.setInitialCheckpointValue(start);
        processor.initialize(InitializationInput.builder()
                .shardId(shard)
                .extendedSequenceNumber(start)
                .build());
        return null;
    }

    private MultiLangDaemonConfiguration configuration() {
        MultiLangDaemonConfiguration configuration =
                new MultiLangDaemonConfiguration(BeanUtilsBean.getInstance(), new ConvertUtilsBean());
        if (scenario.hasNonNull("timeoutInSeconds")) {
            configuration.setTimeoutInSeconds(scenario.get("timeoutInSeconds").intValue());
        }
        return configuration;
    }

    /** Does the same as the KCL's ProcessTask: records that the row covers are not delivered again, and the bound moves up. */
    private ProcessRecordsInput batch(JsonNode step, ArrayNode sent) {
        List<KinesisClientRecord> records = new ArrayList<>();
        ExtendedSequenceNumber largest = checkpointer.largestPermittedCheckpointValue();
        ExtendedSequenceNumber last = checkpointer.lastCheckpointValue();
        for (KinesisClientRecord record : Records.expand(step.get("records"))) {
            ExtendedSequenceNumber place =
                    new ExtendedSequenceNumber(record.sequenceNumber(), record.subSequenceNumber());
            if (last != null && place.compareTo(last) <= 0) {
                continue;
            }
            if (largest == null || largest.compareTo(place) < 0) {
                largest = place;
            }
            records.add(record);
            Records.describe(record, sent.addObject());
        }
        checkpointer.largestPermittedCheckpointValue(largest);
        JsonNode behind = step.get("millisBehindLatest");
        return ProcessRecordsInput.builder()
                .records(records)
                .millisBehindLatest(behind.isNull() ? null : behind.longValue())
                .checkpointer(checkpointer)
                .build();
    }

    /** Closes the input as an ended daemon does, and returns once the child has ended and nobody holds its pipes. */
    private Void endOfInput() throws Exception {
        child.hangUp();
        child.getInputStream().transferTo(OutputStream.nullOutputStream());
        child.ended().get();
        return null;
    }

    private void signal(String name) throws IOException, InterruptedException {
        int code = new ProcessBuilder("kill", "-s", name, Long.toString(child.pid())).start().waitFor();
        if (code != 0) {
            throw new IllegalStateException("kill -s " + name + " failed with " + code);
        }
        if (name.equals("KILL")) {
            child.waitFor();
        }
    }

    /** Performs an action while the step's message is being handled. */
    private void meanwhile(JsonNode action, long eventsBefore, Future<?> done) throws Exception {
        if (action.has("await")) {
            await(action.get("await").textValue(), eventsBefore, done);
        } else if (action.has("signal")) {
            signal(action.get("signal").textValue());
        } else if (action.has("open")) {
            Files.createFile(folder.resolve(action.get("open").textValue()));
        } else if (action.has("hangUp")) {
            child.hangUp();
        } else if (action.has("die")) {
            die();
        } else {
            throw new IllegalArgumentException("no such action: " + action);
        }
    }

    private void await(String event, long from, Future<?> done) throws Exception {
        String wanted = "\"event\":\"" + event + "\"";
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS);
        while (!since(from).contains(wanted)) {
            if (done.isDone() && !since(from).contains(wanted)) {
                throw new IllegalStateException("the step ended without the event " + event);
            }
            if (System.nanoTime() > deadline) {
                throw new TimeoutException();
            }
            Thread.sleep(POLL_MILLIS);
        }
    }

    /** Ends like a killed daemon: nothing is closed, flushed or sent. */
    private static void die() {
        Runtime.getRuntime().halt(137);
    }

    private LeaseRow.Refusal refusal(JsonNode refuse) {
        if (refuse == null || refuse.isNull()) {
            return LeaseRow.Refusal.NONE;
        }
        Runnable first = () -> {
            try {
                if (refuse.hasNonNull("signal")) {
                    signal(refuse.get("signal").textValue());
                }
                if (refuse.path("hangUp").booleanValue()) {
                    child.hangUp();
                }
                if (refuse.path("die").booleanValue()) {
                    die();
                }
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        return new LeaseRow.Refusal(
                refuse.get("error").textValue(),
                refuse.path("after").intValue(),
                refuse.hasNonNull("times") ? refuse.get("times").intValue() : null,
                first);
    }

    private static ExtendedSequenceNumber position(JsonNode position) {
        return position.isNull()
                ? null
                : new ExtendedSequenceNumber(
                        position.get("sequenceNumber").textValue(),
                        position.get("subSequenceNumber").longValue());
    }

    private Path life() {
        return folder.resolve(Integer.toString(children.size()));
    }

    private Path events() {
        return folder.resolve("events.jsonl");
    }

    private String since(long from) throws IOException {
        if (!Files.exists(events())) {
            return "";
        }
        byte[] all = Files.readAllBytes(events());
        return new String(all, (int) from, all.length - (int) from, StandardCharsets.UTF_8);
    }

    private static long size(Path file) throws IOException {
        return Files.exists(file) ? Files.size(file) : 0;
    }
}
