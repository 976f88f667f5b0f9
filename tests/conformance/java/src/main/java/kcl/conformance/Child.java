package kcl.conformance;

import java.io.FilterInputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** The processor's process. Everything that passes through its three pipes is also written to files. */
final class Child extends Process {
    private final Process process;
    private final Input input;
    private final Output output;
    private final Output error;

    /**
     * @param folder the folder for the copies of its three pipes
     * @param cutAfter the number of bytes of input that the child gets before its standard input is closed, or null for no limit
     */
    Child(Process process, Path folder, Long cutAfter) throws IOException {
        this.process = process;
        this.input = new Input(process.getOutputStream(), Files.newOutputStream(folder.resolve("in.jsonl")));
        this.output = new Output(process.getInputStream(), Files.newOutputStream(folder.resolve("out.jsonl")));
        this.error = new Output(process.getErrorStream(), Files.newOutputStream(folder.resolve("err.txt")));
        cutAfter(cutAfter);
    }

    /** Lets this many more bytes of input pass, then closes the child's standard input, even in the middle of a line. */
    void cutAfter(Long bytes) {
        input.left = bytes;
    }

    /** Closes the child's standard input, as the death of the daemon does. */
    void hangUp() throws IOException {
        input.hangUp();
    }

    /** Completes once the child has ended and nobody holds the writing end of its standard error. */
    CompletableFuture<Void> ended() {
        return process.onExit().thenCombine(error.ended, (exit, end) -> null);
    }

    /** Returns whether the child can only end now, because its input or its output is closed. */
    boolean isEnding() {
        return input.closed || output.ended.isDone();
    }

    @Override
    public OutputStream getOutputStream() {
        return input;
    }

    @Override
    public InputStream getInputStream() {
        return output;
    }

    @Override
    public InputStream getErrorStream() {
        return error;
    }

    @Override
    public int waitFor() throws InterruptedException {
        return process.waitFor();
    }

    @Override
    public boolean waitFor(long timeout, TimeUnit unit) throws InterruptedException {
        return process.waitFor(timeout, unit);
    }

    @Override
    public int exitValue() {
        return process.exitValue();
    }

    @Override
    public void destroy() {
        process.destroy();
    }

    @Override
    public Process destroyForcibly() {
        process.destroyForcibly();
        return this;
    }

    @Override
    public boolean isAlive() {
        return process.isAlive();
    }

    @Override
    public long pid() {
        return process.pid();
    }

    private static final class Input extends FilterOutputStream {
        private final OutputStream copy;
        private volatile Long left;
        private volatile boolean closed;

        Input(OutputStream child, OutputStream copy) {
            super(child);
            this.copy = copy;
        }

        @Override
        public synchronized void write(byte[] bytes, int from, int length) throws IOException {
            if (closed) {
                throw new IOException("the child's standard input was closed");
            }
            int passed = left == null ? length : (int) Math.min(left, length);
            copy.write(bytes, from, passed);
            out.write(bytes, from, passed);
            if (left != null) {
                left -= passed;
                if (passed < length) {
                    hangUp();
                    throw new IOException("the child's standard input was cut");
                }
            }
        }

        @Override
        public void write(int one) throws IOException {
            write(new byte[] {(byte) one}, 0, 1);
        }

        void hangUp() throws IOException {
            closed = true;
            out.close();
        }

        @Override
        public void close() throws IOException {
            if (!closed) {
                hangUp();
            }
        }
    }

    private static final class Output extends FilterInputStream {
        private final OutputStream copy;
        private final CompletableFuture<Void> ended = new CompletableFuture<>();

        Output(InputStream child, OutputStream copy) {
            super(child);
            this.copy = copy;
        }

        @Override
        public int read(byte[] bytes, int from, int length) throws IOException {
            int count = in.read(bytes, from, length);
            if (count < 0) {
                ended.complete(null);
            } else {
                copy.write(bytes, from, count);
            }
            return count;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }
    }
}
