package software.amazon.kinesis.multilang;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.concurrent.ExecutorService;
import java.util.function.UnaryOperator;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;

/**
 * Amazon's own record processor. Where it would end the JVM it notes that it gave up, and the child it starts is
 * handed to {@code watch}, which may stand between the two.
 *
 * <p>The class lives in Amazon's package because what it overrides is visible there only.
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

    /** Whether the daemon would have ended with exit code 1. */
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
