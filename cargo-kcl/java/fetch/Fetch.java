import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.PasswordAuthentication;
import java.net.URI;
import java.net.URLConnection;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Locale;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLHandshakeException;

/**
 * Fetches files from a Maven repository into a folder, with Java's own proxies and trust store.
 *
 * <p>Standard input has the URL of the repository, and then a line for each file: its SHA-256, two spaces, and its path in the
 * repository. A file is written under its name with `.part` added. It gets its name once its SHA-256 is right, and an interrupted
 * download resumes, also in a later run. Progress is written to standard output, errors to standard error.
 *
 * <p>The class file beside this source is what the tool runs, because a Java runtime may lack the compiler. It is one class without
 * nested ones. docs/testing.md has the command that makes it.
 */
public final class Fetch extends Authenticator implements Runnable {
    private static final int THREADS = 4;
    /** The attempts in a row that get no byte. */
    private static final int ATTEMPTS = 5;
    private static final long PAUSE_MILLIS = 500;
    private static final int CONNECT_MILLIS = 20_000;
    private static final int READ_MILLIS = 30_000;
    private static final int REDIRECTS = 10;
    private static final long REPORT_MILLIS = 200;
    private static final int RANGE_NOT_SATISFIABLE = 416;

    private final Path folder;
    private final URI repository;
    private final ConcurrentLinkedQueue<String> files;
    private final CountDownLatch left;
    private final AtomicReference<String> failure = new AtomicReference<String>();
    private final AtomicInteger fetched = new AtomicInteger();
    private final AtomicLong bytes = new AtomicLong();
    /** The names and passwords of the proxies for http and https, or null. */
    private final String[] proxyUsers = new String[2];

    private Fetch(Path folder, URI repository, ConcurrentLinkedQueue<String> files) {
        this.folder = folder;
        this.repository = repository;
        this.files = files;
        this.left = new CountDownLatch(files.size());
    }

    public static void main(String[] arguments) throws Exception {
        try {
            System.exit(start(Path.of(arguments[0])).run(THREADS) ? 0 : 1);
        } catch (IllegalArgumentException e) {
            System.err.println("error: " + e.getMessage());
            System.exit(1);
        }
    }

    private static Fetch start(Path folder) throws Exception {
        String input = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        ConcurrentLinkedQueue<String> files = new ConcurrentLinkedQueue<String>();
        URI repository = null;
        for (String line : input.split("\n")) {
            if (repository == null) {
                repository = URI.create(line + "/");
            } else {
                files.add(line);
            }
        }
        Fetch fetch = new Fetch(folder, repository, files);
        fetch.useProxy("http", 0);
        fetch.useProxy("https", 1);
        return fetch;
    }

    private boolean run(int threads) throws InterruptedException {
        for (int i = 0; i < threads; i++) {
            Thread thread = new Thread(this);
            thread.setDaemon(true);
            thread.start();
        }
        boolean done = false;
        while (!done && failure.get() == null) {
            done = left.await(REPORT_MILLIS, TimeUnit.MILLISECONDS);
            System.out.println("fetched " + fetched.get() + " " + bytes.get());
        }
        if (failure.get() != null) {
            System.err.println("error: " + failure.get());
        }
        return failure.get() == null;
    }

    @Override
    public void run() {
        String file = files.poll();
        while (file != null && failure.get() == null) {
            try {
                fetch(file.substring(0, 64), file.substring(66));
                fetched.incrementAndGet();
                left.countDown();
            } catch (Exception e) {
                boolean ours = e instanceof IllegalStateException;
                failure.compareAndSet(null, file.substring(66) + ": " + (ours ? e.getMessage() : e.toString()));
            }
            file = files.poll();
        }
    }

    /** Fetches a file unless it is there. */
    private void fetch(String wanted, String path) throws Exception {
        String name = path.substring(path.lastIndexOf('/') + 1);
        Path file = folder.resolve(name);
        if (Files.exists(file) && digest(file).equals(wanted)) {
            return;
        }
        Path part = folder.resolve(name + ".part");
        boolean resumed = size(part) > 0;
        download(path, part);
        String found = digest(part);
        if (resumed && !found.equals(wanted)) {
            // What an earlier run left does not belong to this file.
            Files.delete(part);
            download(path, part);
            found = digest(part);
        }
        if (!found.equals(wanted)) {
            Files.delete(part);
            throw new IllegalStateException("has SHA-256 " + found + ", but the lock file has " + wanted);
        }
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Downloads the rest of a file, and tries again where that may help. */
    private void download(String path, Path part) throws Exception {
        int attempts = 0;
        while (true) {
            long before = size(part);
            String problem;
            try {
                problem = attempt(path, part, before);
            } catch (SSLHandshakeException | UnknownHostException | FileSystemException e) {
                // Another attempt does not change the certificates or the disk, and Java remembers unknown names for ten seconds.
                throw e;
            } catch (IOException e) {
                problem = e.toString();
            }
            if (problem == null) {
                return;
            }
            attempts = size(part) > before ? 1 : attempts + 1;
            if (attempts >= ATTEMPTS) {
                throw new IllegalStateException(problem + " (" + ATTEMPTS + " attempts)");
            }
            Thread.sleep(PAUSE_MILLIS << attempts - 1);
        }
    }

    /** Makes one call. Returns a problem that may pass, or null if the whole file is there. */
    private String attempt(String path, Path part, long start) throws Exception {
        URLConnection connection = open(repository.resolve(path), start);
        boolean appends = false;
        if (connection instanceof HttpURLConnection) {
            HttpURLConnection http = (HttpURLConnection) connection;
            int status = http.getResponseCode();
            if (status == RANGE_NOT_SATISFIABLE && start > 0) {
                http.disconnect();
                // It has no more bytes than these. If they are other bytes, the file is fetched anew.
                return null;
            }
            if (status == HttpURLConnection.HTTP_CLIENT_TIMEOUT || status == 429 || status >= 500) {
                http.disconnect();
                return answer(http, status);
            }
            appends = status == HttpURLConnection.HTTP_PARTIAL
                    && String.valueOf(http.getHeaderField("Content-Range")).startsWith("bytes " + start + "-");
            if (status != HttpURLConnection.HTTP_OK && !appends) {
                http.disconnect();
                throw new IllegalStateException(answer(http, status));
            }
        }
        long announced = connection.getContentLengthLong();
        long copied = 0;
        try (InputStream in = connection.getInputStream();
                OutputStream out = appends
                        ? Files.newOutputStream(part, StandardOpenOption.APPEND)
                        : Files.newOutputStream(part)) {
            byte[] buffer = new byte[1 << 16];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                out.write(buffer, 0, read);
                copied += read;
                bytes.addAndGet(read);
            }
        }
        return announced >= 0 && copied < announced ? "the connection was closed too early" : null;
    }

    private static String answer(HttpURLConnection http, int status) throws IOException {
        String text = http.getResponseMessage();
        return http.getURL().getHost() + " answered " + status + (text == null ? "" : " " + text);
    }

    /** Opens a connection, through redirections that do not give up encryption. */
    private URLConnection open(URI first, long start) throws Exception {
        URI uri = first;
        for (int i = 0; i < REDIRECTS; i++) {
            URLConnection connection = withoutUser(uri).toURL().openConnection();
            if (System.getProperty("sun.net.client.defaultConnectTimeout") == null) {
                connection.setConnectTimeout(CONNECT_MILLIS);
            }
            if (System.getProperty("sun.net.client.defaultReadTimeout") == null) {
                connection.setReadTimeout(READ_MILLIS);
            }
            if (!(connection instanceof HttpURLConnection)) {
                return connection;
            }
            HttpURLConnection http = (HttpURLConnection) connection;
            http.setInstanceFollowRedirects(false);
            http.setAuthenticator(this);
            if (start > 0) {
                http.setRequestProperty("Range", "bytes=" + start + "-");
            }
            String user = repository.getUserInfo();
            if (user != null && sameHost(uri)) {
                byte[] encoded = Base64.getEncoder().encode(user.getBytes(StandardCharsets.UTF_8));
                http.setRequestProperty("Authorization", "Basic " + new String(encoded, StandardCharsets.US_ASCII));
            }
            int status = http.getResponseCode();
            String location = http.getHeaderField("Location");
            if (status < 301 || status > 308 || status == 304 || location == null) {
                return http;
            }
            http.disconnect();
            URI next = uri.resolve(location);
            String scheme = String.valueOf(next.getScheme());
            if (!scheme.equals("https") && !(scheme.equals("http") && uri.getScheme().equals("http"))) {
                throw new IllegalStateException(uri.getHost() + " redirects to a URL that is not https");
            }
            uri = next;
        }
        throw new IllegalStateException(first.getHost() + " redirects more than " + REDIRECTS + " times");
    }

    private boolean sameHost(URI uri) {
        return repository.getHost().equals(uri.getHost())
                && repository.getPort() == uri.getPort()
                && repository.getScheme().equals(uri.getScheme());
    }

    private static URI withoutUser(URI uri) throws Exception {
        if (uri.getUserInfo() == null) {
            return uri;
        }
        return new URI(uri.getScheme(), null, uri.getHost(), uri.getPort(), uri.getPath(), uri.getQuery(), null);
    }

    /** Uses the proxy of the environment, unless Java has one already. */
    private void useProxy(String scheme, int index) throws Exception {
        String proxy = System.getenv(scheme + "_proxy");
        // Upper case is not used for http: a server may take it from a header of a request.
        if (proxy == null && scheme.equals("https")) {
            proxy = System.getenv("HTTPS_PROXY");
        }
        if (proxy == null
                || proxy.isEmpty()
                || System.getProperty(scheme + ".proxyHost") != null
                || Boolean.getBoolean("java.net.useSystemProxies")) {
            return;
        }
        URI uri = URI.create(proxy.contains("://") ? proxy : "http://" + proxy);
        if (uri.getHost() == null) {
            throw new IllegalArgumentException("the variable " + scheme + "_proxy is not the URL of a proxy");
        }
        System.setProperty(scheme + ".proxyHost", uri.getHost());
        System.setProperty(scheme + ".proxyPort", Integer.toString(uri.getPort() < 0 ? 80 : uri.getPort()));
        proxyUsers[index] = uri.getUserInfo();
        if (uri.getUserInfo() != null && System.getProperty("jdk.http.auth.tunneling.disabledSchemes") == null) {
            // Otherwise Java does not send a password to a proxy for https.
            System.setProperty("jdk.http.auth.tunneling.disabledSchemes", "");
        }
        String without = System.getenv("no_proxy") == null ? System.getenv("NO_PROXY") : System.getenv("no_proxy");
        if (without != null && System.getProperty("http.nonProxyHosts") == null) {
            System.setProperty("http.nonProxyHosts", nonProxyHosts(without));
        }
    }

    /** Translates `example.com,.internal:8080` for Java. */
    private static String nonProxyHosts(String without) {
        StringBuilder hosts = new StringBuilder("localhost|127.*|[::1]");
        for (String entry : without.toLowerCase(Locale.ROOT).split("[,\\s]+")) {
            String host = entry.replaceFirst("^\\*?\\.", "").replaceFirst(":[0-9]+$", "");
            if (!host.isEmpty()) {
                hosts.append('|').append(host);
                if (!host.equals("*")) {
                    hosts.append("|*.").append(host);
                }
            }
        }
        return hosts.toString();
    }

    @Override
    protected PasswordAuthentication getPasswordAuthentication() {
        String user = proxyUsers["https".equals(getRequestingURL().getProtocol()) ? 1 : 0];
        if (getRequestorType() != Authenticator.RequestorType.PROXY || user == null) {
            return null;
        }
        int colon = user.indexOf(':');
        String password = colon < 0 ? "" : user.substring(colon + 1);
        return new PasswordAuthentication(colon < 0 ? user : user.substring(0, colon), password.toCharArray());
    }

    private static long size(Path path) throws IOException {
        return Files.exists(path) ? Files.size(path) : 0;
    }

    private static String digest(Path path) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (InputStream in = Files.newInputStream(path)) {
            byte[] buffer = new byte[1 << 16];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
