package kcl.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Runs scripted conversations between Amazon's MultiLangDaemon classes and a processor.
 *
 * <p>Standard input carries one scenario per line, as JSON. Standard output carries one report per line, in the order
 * in which the scenarios end. Each scenario has its own thread, child, lease row and executor, and none waits for
 * another. The end of standard input ends the program and every child.
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws IOException {
        ObjectMapper json = new ObjectMapper();
        PrintStream reports = System.out;
        // Other output goes to standard error, where it cannot be taken for a report.
        System.setOut(System.err);

        BufferedReader scenarios =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String line;
        while ((line = scenarios.readLine()) != null) {
            JsonNode scenario = json.readTree(line);
            Thread thread = new Thread(() -> {
                byte[] report = Conversation.run(scenario).toString().getBytes(StandardCharsets.UTF_8);
                synchronized (reports) {
                    reports.writeBytes(report);
                    reports.write('\n');
                    reports.flush();
                }
            });
            thread.setName(scenario.get("folder").textValue());
            thread.start();
        }
        ProcessHandle.current().children().forEach(ProcessHandle::destroyForcibly);
        Runtime.getRuntime().halt(0);
    }
}
