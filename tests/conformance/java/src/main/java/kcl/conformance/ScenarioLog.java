package kcl.conformance;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.AppenderBase;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Separates the log of Amazon's classes by scenario: every thread of a scenario is named after its folder. */
public final class ScenarioLog extends AppenderBase<ILoggingEvent> {
    private static final int LONGEST_MESSAGE = 2_000;

    @Override
    protected void append(ILoggingEvent event) {
        Path folder = Path.of(event.getThreadName());
        if (!folder.isAbsolute()) {
            return;
        }
        String message = event.getFormattedMessage();
        if (message.length() > LONGEST_MESSAGE) {
            message = message.substring(0, LONGEST_MESSAGE) + "...";
        }
        IThrowableProxy thrown = event.getThrowableProxy();
        String line = event.getLevel() + " " + message + "\n" + (thrown == null ? "" : ThrowableProxyUtil.asString(thrown));
        try {
            Files.write(
                    folder.resolve("daemon.log"),
                    line.getBytes(StandardCharsets.UTF_8),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            addError("daemon.log", e);
        }
    }
}
