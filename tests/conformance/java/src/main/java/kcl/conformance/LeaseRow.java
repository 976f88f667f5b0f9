package kcl.conformance;

import software.amazon.kinesis.checkpoint.Checkpoint;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.KinesisClientLibDependencyException;
import software.amazon.kinesis.exceptions.KinesisClientLibException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.exceptions.ThrottlingException;
import software.amazon.kinesis.processor.Checkpointer;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/** An in-memory lease table of one row, which refuses writes on request. */
final class LeaseRow implements Checkpointer {
    private ExtendedSequenceNumber checkpoint;
    private String operation;
    private Refusal refusal = Refusal.NONE;

    LeaseRow(ExtendedSequenceNumber checkpoint) {
        this.checkpoint = checkpoint;
    }

    /**
     * The handling of the next writes.
     *
     * @param error the simple name of the exception that is thrown, or null for a write that succeeds
     * @param after the number of writes that succeed first
     * @param times the number of writes after those that are affected, or null for all
     * @param first an action to run before the exception or the write
     */
    record Refusal(String error, int after, Integer times, Runnable first) {
        static final Refusal NONE = new Refusal(null, 0, 0, () -> {});
    }

    synchronized void refuse(Refusal refusal) {
        this.refusal = refusal;
    }

    synchronized ExtendedSequenceNumber value() {
        return checkpoint;
    }

    synchronized void value(ExtendedSequenceNumber checkpoint) {
        this.checkpoint = checkpoint;
    }

    @Override
    public synchronized void setCheckpoint(String leaseKey, ExtendedSequenceNumber value, String concurrencyToken)
            throws KinesisClientLibException {
        Refusal now = refusal;
        if (now.after() > 0) {
            refusal = new Refusal(now.error(), now.after() - 1, now.times(), now.first());
        } else if (now.times() == null || now.times() > 0) {
            refusal = new Refusal(
                    now.error(), 0, now.times() == null ? null : now.times() - 1, now.first());
            now.first().run();
            throwNamed(now.error());
        }
        checkpoint = value;
    }

    private static void throwNamed(String error) throws KinesisClientLibException {
        if (error == null) {
            return;
        }
        String message = "refused by the scenario";
        switch (error) {
            case "ThrottlingException" -> throw new ThrottlingException(message);
            case "KinesisClientLibDependencyException" -> throw new KinesisClientLibDependencyException(message);
            case "ShutdownException" -> throw new ShutdownException(message);
            case "InvalidStateException" -> throw new InvalidStateException(message);
            case "IllegalArgumentException" -> throw new IllegalArgumentException(message);
            case "UnheardOfException" -> throw new UnheardOfException(message);
            default -> throw new AssertionError("the scenario asks for an unknown exception: " + error);
        }
    }

    /** Stands for every exception that the processor's author does not know. */
    private static final class UnheardOfException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        UnheardOfException(String message) {
            super(message);
        }
    }

    @Override
    public synchronized ExtendedSequenceNumber getCheckpoint(String leaseKey) {
        return checkpoint;
    }

    @Override
    public synchronized Checkpoint getCheckpointObject(String leaseKey) {
        return new Checkpoint(checkpoint, null, null);
    }

    @Override
    public void prepareCheckpoint(String leaseKey, ExtendedSequenceNumber pending, String concurrencyToken) {
        throw new UnsupportedOperationException("the MultiLangDaemon does not prepare checkpoints");
    }

    @Override
    public void prepareCheckpoint(
            String leaseKey, ExtendedSequenceNumber pending, String concurrencyToken, byte[] pendingState) {
        throw new UnsupportedOperationException("the MultiLangDaemon does not prepare checkpoints");
    }

    @Override
    public synchronized void operation(String operation) {
        this.operation = operation;
    }

    @Override
    public synchronized String operation() {
        return operation;
    }
}
