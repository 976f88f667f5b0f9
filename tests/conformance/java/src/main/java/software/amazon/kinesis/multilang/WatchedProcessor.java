package software.amazon.kinesis.multilang;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.concurrent.ExecutorService;
import java.util.function.UnaryOperator;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;

/**
 * Amazon's own record processor. Instead of ending the JVM, it notes that it gave up. It passes the child that it
 * starts to {@code watch}, which may wrap it.
 *
 * <p>The class is in Amazon's package because the methods that it overrides are visible only there.
 */
public final class WatchedProcessor extends MultiLangShardRecordProcessor {
    private final UnaryOperator<Process> watch;
    private volatile boolean gaveUp;

    public WatchedProcessor(
            ProcessBuilder command,
            ExecutorService executor,
            MultiLangDaemonConfiguration configuration,
            UnaryOperator<Process> watch) {
        super(command, executor, new ObjectMapper(), configuration);
        this.watch = watch;
    }

    /** Returns whether the daemon would have ended with exit code 1. */
    public boolean gaveUp() {
        return gaveUp;
    }

    @Override
    void exit() {
        gaveUp = true;
    }

    @Override
    Process startProcess() throws IOException {
        return watch.apply(super.startProcess());
    }
}
