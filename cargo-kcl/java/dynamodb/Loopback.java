import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/** DynamoDB Local on 127.0.0.1 only: its own main binds every interface and has no option for it. */
public final class Loopback {
    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(arguments);
        int bound = 0;
        for (var field : DynamoDBProxyServer.class.getDeclaredFields()) {
            field.setAccessible(true);
            if (field.get(proxy) instanceof Server server) {
                for (Connector connector : server.getConnectors()) {
                    ((ServerConnector) connector).setHost("127.0.0.1");
                    bound++;
                }
            }
        }
        if (bound == 0) {
            System.err.println("DynamoDB Local has no server that could be bound to 127.0.0.1");
            System.exit(1);
        }
        proxy.start();
        proxy.join();
    }
}
